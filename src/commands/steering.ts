import type { Clock } from '../base/clock.ts';
import { parseConversationKey } from '../base/conversation.ts';
import type { ConversationKey, Lease } from '../base/terms.ts';
import { type Bots, ttlIn } from '../bots/bots.ts';
import type { Inbox } from '../inbox/inbox.ts';
import type { Queue } from '../queue/queue.ts';
import {
  type CompactOutcome,
  chosenModel,
  type SessionRecord,
  type SessionRecords,
  type Sessions,
} from '../session/session.ts';
import type { Ledger } from '../turn/turn.ts';
import type { ConversationStatus, Steering } from './commands.ts';

export type SteeringDeps = {
  readonly queue: Pick<Queue, 'interrupt' | 'idle' | 'hold' | 'active' | 'runBetween'>;
  readonly sessions: Pick<Sessions, 'live' | 'rewarm' | 'compact' | 'model'>;
  readonly records: Pick<SessionRecords, 'current'>;
  readonly inbox: Pick<Inbox, 'waitingIn'>;
  readonly ledger: Pick<Ledger, 'spent'>;
  readonly bots: Pick<Bots, 'get'>;
  readonly clock: Clock;
  /** Ends the conversation's running turn and deletes all that it remembers. */
  forget(conversation: ConversationKey): Promise<void>;
  /** A compaction that was asked for in a room has ended; nobody waits for it. */
  onCompacted(conversation: ConversationKey, outcome: CompactResult | Error): void;
};

/** `busy`: another compaction waits already, or the server stops. */
export type CompactResult = CompactOutcome | 'busy';

export type ConversationSteering = Steering & {
  /** Shortens what the conversation remembers as soon as no turn of it runs, and resolves when it is done. */
  compactNow(conversation: ConversationKey): Promise<CompactResult>;
};

export function makeSteering(deps: SteeringDeps): ConversationSteering {
  const { queue, sessions } = deps;

  /** What its next turn would go on with; null: that one starts afresh. */
  async function currentSession(conversation: ConversationKey): Promise<SessionRecord | null> {
    const record = await deps.records.current(conversation);
    const parts = parseConversationKey(conversation);
    const bot = parts && deps.bots.get(parts.botId);
    if (record === null || record.state !== 'active' || bot === null) return null;
    const ttlMs = ttlIn(bot, parts?.roomId ?? null);
    return ttlMs !== null && deps.clock.now() - record.lastUsedAt > ttlMs ? null : record;
  }

  async function compactNow(conversation: ConversationKey): Promise<CompactResult> {
    return (await queue.runBetween(conversation, compact)) ?? 'busy';
  }

  /** A session that sleeps is resumed first: its memory is shortened by its process. */
  async function compact(lease: Lease): Promise<CompactOutcome> {
    const parts = parseConversationKey(lease.conversation);
    const bot = parts && deps.bots.get(parts.botId);
    if (bot !== null) await sessions.rewarm(lease, bot);
    return sessions.compact(lease);
  }

  return {
    reset: deps.forget,
    hold: queue.hold,
    compactNow,
    setModel: sessions.model.set,

    async interrupt(conversation) {
      if (!queue.interrupt(conversation, 'stopped-by-command')) return 'not-running';
      await queue.idle(conversation);
      return 'ended';
    },

    async compact(conversation) {
      if ((await currentSession(conversation)) === null) return 'nothing';
      compactNow(conversation).then(
        (outcome) => deps.onCompacted(conversation, outcome),
        (error) => deps.onCompacted(conversation, error),
      );
      return 'started';
    },

    async status(conversation): Promise<ConversationStatus> {
      const parts = parseConversationKey(conversation);
      const bot = parts && deps.bots.get(parts.botId);
      const [record, waiting, choice] = await Promise.all([
        currentSession(conversation),
        deps.inbox.waitingIn(conversation),
        sessions.model.get(conversation),
      ]);
      const running = queue.active().find((active) => active.conversation === conversation);
      return {
        runningSince: running?.since ?? null,
        waiting,
        isLive: sessions.live().some((live) => live.record.conversation === conversation),
        session: record && {
          turnCount: record.turnCount,
          createdAt: record.createdAt,
          costUsd: await deps.ledger.spent({ conversation, since: record.createdAt }),
        },
        model: bot && chosenModel(choice, bot),
      };
    },
  };
}
