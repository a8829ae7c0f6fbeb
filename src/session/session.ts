/** Which agent process serves a conversation, and from what its turn starts: hot, warm or cold. */
import type { Agent, Usage } from '../agent/agent.ts';
import type { ConversationKey, EntryId, Instant, Lease, SessionId, Start, Tier } from '../base/terms.ts';
import type { Bot } from '../bots/bots.ts';

/**
 *   provisional ──first settle──▶ active ──▶ expired (TTL) | lost (no transcript) | quarantined | forgotten
 *
 * A provisional record's id was chosen but no turn on it has settled: nothing may be resumed from it.
 */
export type SessionState = 'provisional' | 'active' | 'expired' | 'lost' | 'quarantined' | 'forgotten';

export type SessionRecord = {
  readonly sessionId: SessionId;
  readonly conversation: ConversationKey;
  readonly state: SessionState;
  /** The last transcript entry of the last settled turn; null while provisional. */
  readonly settledEntry: EntryId | null;
  readonly fingerprint: string;
  readonly createdAt: Instant;
  readonly lastUsedAt: Instant;
  /** Settled turns. */
  readonly turnCount: number;
  readonly costUsd: number;
  /** The SDK's cumulative cost and tokens when the last turn settled; the next resume continues from them. */
  readonly cumulative: Usage;
  readonly lastTier: Tier;
  readonly lastStart: Start;
};

export type SessionRecords = {
  /** The conversation's provisional or active record. */
  current(conversation: ConversationKey): Promise<SessionRecord | null>;
  /** Writes a provisional record before its process starts; the conversation's former current one ends as `former`. */
  begin(
    lease: Lease,
    record: SessionRecord,
    former: Exclude<SessionState, 'provisional' | 'active'> | null,
  ): Promise<void>;
  /** Ends a record (and, when forgotten, its transcript and the bodies of the conversation's rows). */
  end(
    lease: Lease,
    sessionId: SessionId,
    state: Exclude<SessionState, 'provisional' | 'active'>,
  ): Promise<void>;
  /** Current records of the conversations, newest use first. */
  list(limit: number): Promise<readonly SessionRecord[]>;
  /** Conversations with anything to forget, of one room or all. */
  conversationsOf(roomId: string | null): Promise<readonly ConversationKey[]>;
};

/** The session's part of a turn's one transaction. */
export type SessionSettlement = {
  settle(settled: {
    readonly sessionId: SessionId;
    readonly settledEntry: EntryId;
    readonly tier: Tier;
    readonly start: Start;
    readonly cumulative: Usage;
    readonly at: Instant;
  }): Promise<void>;
};

/** An agent that is ours for one turn, with what the turn's record says of it. */
export type OpenSession = {
  readonly agent: Agent;
  readonly bot: Bot;
  readonly sessionId: SessionId;
  readonly tier: Tier;
  readonly start: Start;
  /** Why this tier: the facts that decided, in words. */
  readonly reason: string;
};
