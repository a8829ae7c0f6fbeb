/** Which agent process serves a conversation, and from what its turn starts: hot, warm or cold. */
import type { Agent, AgentSpec, Agents, TranscriptStore, Usage } from '../agent/agent.ts';
import type { Clock } from '../base/clock.ts';
import type {
  AgentId,
  ConversationKey,
  EntryId,
  Instant,
  Lease,
  SessionId,
  Start,
  Tier,
} from '../base/terms.ts';
import type { Bot, Bots } from '../bots/bots.ts';
import type { Leases } from '../cluster/cluster.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Endpoints } from './endpoints.ts';
import type { ModelChoices } from './models.ts';
import type { Tail } from './read-tail.ts';

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
  readonly lastTier: Tier;
  readonly lastStart: Start;
  /** When entries of a turn last did not reach the transcript; what was said then the session has forgotten. */
  readonly memoryAtRiskAt: Instant | null;
};

export type SessionRecords = {
  /** The conversation's provisional or active record. */
  current(conversation: ConversationKey): Promise<SessionRecord | null>;
  /** How the conversation's last ended record of which a turn had settled has ended; null when there is none. */
  formerEnd(conversation: ConversationKey): Promise<SessionState | null>;
  /** Writes a provisional record before its process starts; the conversation's former current one ends as `former`. */
  begin(
    lease: Lease,
    record: SessionRecord,
    former: 'expired' | 'lost' | 'quarantined' | null,
  ): Promise<void>;
  /** Ends a current record whose session cannot go on. */
  end(lease: Lease, sessionId: SessionId, state: 'expired' | 'lost' | 'quarantined'): Promise<void>;
  /** The session goes on at another entry, under the id that the process says; what it took is in the ledger. */
  compacted(
    lease: Lease,
    sessionId: SessionId,
    after: { readonly sessionId: SessionId; readonly settledEntry: EntryId } & Booking,
  ): Promise<void>;
  /** What an attempt outside a turn took. */
  booked(lease: Lease, sessionId: SessionId, booking: Booking): Promise<void>;
  /**
   * Ends all the conversation's records as `forgotten`, deletes their transcripts, blanks the text of its inbox and
   * outbox rows and buries its unfinished messages as `stopped`, which are counted; one transaction, under a lease just
   * seized.
   */
  forget(lease: Lease): Promise<number>;
  /** Current records of the conversations, newest use first. */
  list(limit: number): Promise<readonly SessionRecord[]>;
  /** Conversations with anything to forget, of one room or all. */
  conversationsOf(roomId: string | null): Promise<readonly ConversationKey[]>;
};

export type Booking = { readonly usage: Usage; readonly at: Instant };

/** What was said in a conversation, from our own rows: it outlives a transcript, and nothing outlives a forget. */
export type History = {
  /** The newest messages and replies, oldest first. */
  recent(conversation: ConversationKey, limit: number): Promise<readonly Remembered[]>;
};
/** `author` null: the bot itself. */
export type Remembered = { readonly author: string | null; readonly text: string };

/** The session's part of a turn's one transaction. */
export type SessionSettlement = {
  settle(settled: {
    readonly sessionId: SessionId;
    readonly settledEntry: EntryId;
    readonly tier: Tier;
    readonly start: Start;
    /** Of this turn; added to the session's. */
    readonly costUsd: number;
    readonly at: Instant;
  }): Promise<void>;
  /** Entries of the turn did not reach the transcript. */
  atRisk(at: Instant): Promise<void>;
};

/** From what a turn will start, before anything is started. */
export type SessionPlan = {
  readonly lease: Lease;
  readonly bot: Bot;
  readonly tier: Tier;
  /** Why this tier, in words. */
  readonly reason: string;
  /** How the record ends when the turn starts cold; null: it goes on, or there is none. */
  readonly ends: 'expired' | 'lost' | 'quarantined' | null;
  /** What was said before, for a session whose own memory is gone; empty when there is nothing to tell. */
  readonly recap: readonly Remembered[];
  /** Its memory is gone though it had not expired, which its room may be told. */
  readonly isLoss: boolean;
  readonly record: SessionRecord | null;
  /** What an attempt that never settled left behind. */
  readonly tail: Tail;
  readonly spec: AgentSpec;
  readonly fingerprint: string;
};

/** An agent that is ours for one turn. Exactly one of `keep` and `abandon` ends it. */
export type OpenSession = {
  readonly agent: Agent;
  /** What was carried out: another plan than the one that was asked for where its session could not be resumed. */
  readonly plan: SessionPlan;
  readonly sessionId: SessionId;
  readonly tier: Tier;
  readonly start: Start;
  readonly reason: string;
  /** The turn settled: the process waits for the conversation's next message. */
  keep(settled: SettledTurn): void;
  /** The turn did not settle, so it never happened: its process is ended. Say when the session is to blame. */
  abandon(why?: 'session-failed'): Promise<void>;
  /** The endpoint had something to say: it is well. */
  endpointAnswered(): void;
  /** The endpoint failed the turn. True: the next try goes to the other one, at once. */
  endpointFailed(): boolean;
};

export type SettledTurn = Parameters<SessionSettlement['settle']>[0];

export type Sessions = {
  /** Decides the tier and reads the unsettled tail; starts nothing, writes nothing. */
  plan(lease: Lease, bot: Bot): Promise<SessionPlan>;
  /** The agent of the plan: reused, or started after its record is on disk. Rejects with `AgentStartFailed`. */
  open(plan: SessionPlan): Promise<OpenSession>;
  /** The stored session could not be resumed: the next plan is cold. */
  lose(plan: SessionPlan): Promise<void>;
  /** Ends the process and deletes everything that the conversation remembers; how many messages that left unanswered. */
  forget(conversation: ConversationKey): Promise<number>;
  /** Resumes the conversation ahead of its next message, where there is room; false: nothing was started. */
  rewarm(lease: Lease, bot: Bot): Promise<boolean>;
  /** Shortens what the conversation's live process remembers. */
  compact(lease: Lease): Promise<CompactOutcome>;
  /** The same where the conversation has grown above a number of tokens (null: never). */
  compactIfFull(
    lease: Lease,
    contextTokens: number | null,
    aboveTokens: number | null,
  ): Promise<CompactOutcome | 'not-needed'>;
  /** The model chosen for a conversation, from its next turn on. */
  readonly model: ModelChoices;
  /** Closes processes whose conversation is older than its time to live, that are worn, or too much for the machine. */
  sweep(): Promise<void>;
  live(): readonly LiveSession[];
  /** Closes every process; the sessions stay. */
  closeAll(): Promise<void>;
};

export type CompactOutcome = 'compacted' | 'not-live' | 'failed';

/** A conversation with a live process, for stats. */
export type LiveSession = {
  readonly record: SessionRecord;
  readonly agentId: AgentId;
  readonly busy: boolean;
};

export type SessionDeps = {
  readonly records: SessionRecords;
  readonly transcripts: Pick<TranscriptStore, 'after'>;
  readonly history: History;
  readonly agents: Pick<Agents, 'start' | 'closeAll' | 'census' | 'nextSessionId' | 'keepSpares'>;
  readonly bots: Pick<Bots, 'all' | 'get' | 'default'>;
  readonly leases: Pick<Leases, 'seize' | 'release'>;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly endpoints: Endpoints;
  readonly models: ModelChoices;
  /** Share of the machine's memory (the container's, where there is one) that is in use. */
  machineShare(): number;
  readonly sdkVersion: string;
  /** Working directory of a conversation. */
  workspaceOf(conversation: ConversationKey): string;
  deleteWorkspace(conversation: ConversationKey): Promise<void>;
  /** The bot's time to live in this conversation's room; null: never expires. */
  ttlOf(bot: Bot, conversation: ConversationKey): number | null;
  readonly limits: {
    readonly mostLive: number;
    /** What all agent families together may hold. */
    readonly budgetMb: number;
    /** `SPARE_AGENTS` */
    readonly spares: number;
    /** `MEMORY_HIGH_WATERMARK` */
    readonly highWatermark: number;
    /** `SESSION_RESUME` */
    readonly resume: boolean;
    /** Every process is closed after its turn. */
    readonly stateless: boolean;
  };
};

export { decideRewarming } from './decide-spares.ts';
export { type ChosenEndpoint, type Endpoints, makeEndpoints } from './endpoints.ts';
export { chosenModel } from './models.ts';
export { readTail, type Tail } from './read-tail.ts';
export { makeSessions } from './sessions.ts';
