import type { AgentCensus, Agents } from '../agent/agent.ts';
import type { Inbox } from '../inbox/inbox.ts';
import type { Queue } from '../queue/queue.ts';
import type { SessionRecord } from '../session/session.ts';
import type { SessionFacts } from './session-body.ts';
import type { Stats } from './stats.ts';
import type { SessionViews } from './views.ts';

/** Conversations that `/session/stats` lists at most, newest use first; `/api/sessions` has them all, page by page. */
const MOST_SESSIONS = 500;
const MOST_WAITING_KEYS = 1_000;

export type LiveSources = {
  readonly agents: Pick<Agents, 'census'>;
  readonly queue: Pick<Queue, 'active'>;
};

export type StatsSources = LiveSources & {
  readonly sessionViews: Pick<SessionViews, 'current' | 'count'>;
  readonly inbox: Pick<Inbox, 'counts' | 'waitingByConversation'>;
  readonly ttlHours: number;
  readonly dataDir: string;
  readonly budgetMb: number;
};

/** Says of stored sessions what lives of them now. */
export type CollectFacts = (records: readonly SessionRecord[]) => Promise<readonly SessionFacts[]>;

export function makeCollectFacts({ agents, queue }: LiveSources): CollectFacts {
  return async (records) => joinFacts(records, await agents.census(), queue);
}

/** What the stats routes show, asked of those who know it. */
export function makeStats(sources: StatsSources): Stats {
  return {
    async sessions() {
      const [census, records, total] = await Promise.all([
        sources.agents.census(),
        sources.sessionViews.current(null, MOST_SESSIONS),
        sources.sessionViews.count(),
      ]);
      const usedMb = census.reduce((sum, agent) => sum + (agent.rssMb ?? 0), 0);
      return {
        total,
        ttlHours: sources.ttlHours,
        persistenceDir: sources.dataDir,
        memory: { budgetMb: sources.budgetMb, usedMb, liveAgents: census.length },
        sessions: joinFacts(records, census, sources.queue),
      };
    },

    async queue() {
      const [counts, waitingByConversation] = await Promise.all([
        sources.inbox.counts(),
        sources.inbox.waitingByConversation(MOST_WAITING_KEYS),
      ]);
      const active = sources.queue.active().map(({ conversation }) => conversation);
      return { ...counts, active, waitingByConversation };
    },
  };
}

function joinFacts(
  records: readonly SessionRecord[],
  census: readonly AgentCensus[],
  queue: Pick<Queue, 'active'>,
): readonly SessionFacts[] {
  const memory = new Map(census.map((agent) => [agent.conversation, agent.rssMb]));
  const busy = new Set(queue.active().map(({ conversation }) => conversation));
  return records.map(({ lastTier: tier, lastStart: start, ...record }) => ({
    ...record,
    tier,
    start,
    connected: memory.has(record.conversation),
    busy: busy.has(record.conversation),
    rssMb: memory.get(record.conversation) ?? null,
  }));
}
