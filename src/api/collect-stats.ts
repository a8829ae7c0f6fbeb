import type { Agents } from '../agent/agent.ts';
import type { Inbox } from '../inbox/inbox.ts';
import type { Queue } from '../queue/queue.ts';
import type { SessionRecords, Sessions } from '../session/session.ts';
import type { Stats } from './stats.ts';

/** Conversations that `/session/stats` lists at most, newest use first. */
const MOST_SESSIONS = 10_000;
const MOST_WAITING_KEYS = 1_000;

export type StatsSources = {
  readonly agents: Pick<Agents, 'census'>;
  readonly sessions: Pick<Sessions, 'live'>;
  readonly records: Pick<SessionRecords, 'list'>;
  readonly inbox: Pick<Inbox, 'counts' | 'waitingByConversation'>;
  readonly queue: Pick<Queue, 'active'>;
  readonly ttlHours: number;
  readonly dataDir: string;
  readonly budgetMb: number;
};

/** What the stats routes show, asked of those who know it. */
export function makeStats(sources: StatsSources): Stats {
  return {
    async sessions() {
      const [census, records] = await Promise.all([
        sources.agents.census(),
        sources.records.list(MOST_SESSIONS),
      ]);
      const memory = new Map(census.map((agent) => [agent.conversation, agent.rssMb]));
      const usedMb = census.reduce((sum, agent) => sum + (agent.rssMb ?? 0), 0);
      return {
        ttlHours: sources.ttlHours,
        persistenceDir: sources.dataDir,
        memory: { budgetMb: sources.budgetMb, usedMb, liveAgents: census.length },
        sessions: records.map((record) => ({
          conversation: record.conversation,
          sessionId: record.sessionId,
          tier: record.lastTier,
          start: record.lastStart,
          connected: memory.has(record.conversation),
          turnCount: record.turnCount,
          rssMb: memory.get(record.conversation) ?? null,
          costUsd: record.costUsd,
          createdAt: record.createdAt,
          lastUsedAt: record.lastUsedAt,
        })),
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
