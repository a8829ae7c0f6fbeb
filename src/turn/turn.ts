/** One turn: a conversation's next message in, its replies out, committed together. */
import type { Usage } from '../agent/agent.ts';
import type { Clock } from '../base/clock.ts';
import type {
  BotId,
  ConversationKey,
  InboxId,
  Instant,
  Lease,
  SessionId,
  Start,
  Tier,
  UserId,
} from '../base/terms.ts';
import type { Bots } from '../bots/bots.ts';
import type { Inbox, InboxMessage, InboxSettlement } from '../inbox/inbox.ts';
import type { Deliver, OutboxAddition } from '../outbox/outbox.ts';
import type { SessionSettlement, Sessions } from '../session/session.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { LoopBreaker } from './loop-breaker.ts';
import type { InWords } from './prompt.ts';
import type { NoticeText } from './replies.ts';

/** What a turn was and how long its parts took: the page, the metrics and `/api/events` show it. Times in ms. */
export type TurnRecord = {
  readonly conversation: ConversationKey;
  readonly botId: BotId;
  readonly sessionId: SessionId;
  readonly inboxIds: readonly InboxId[];
  readonly tier: Tier;
  readonly start: Start;
  readonly reason: string;
  readonly outcome: string;
  readonly attempt: number;
  readonly endedAt: Instant;
  /** Accepted → the turn began. */
  readonly waitedMs: number;
  /** → the agent was there. */
  readonly openedMs: number;
  /** Prompt sent → first text; null when there was none. */
  readonly firstTextMs: number | null;
  /** Prompt sent → end. */
  readonly answeredMs: number;
};

/** One attempt's cost, settled or not. */
export type LedgerEntry = {
  readonly conversation: ConversationKey;
  readonly botId: BotId;
  readonly userId: UserId;
  readonly sessionId: SessionId;
  readonly outcome: string;
  readonly usage: Usage;
  readonly at: Instant;
};

/** What attempts took, failed ones too. */
export type Ledger = {
  /** Books an attempt that a reset cut off, without its lease: nothing else of it counts, but the endpoint was paid. */
  add(entry: LedgerEntry): Promise<void>;
  /** US dollars since an instant, read from an index: of a conversation, or of one person with one bot. */
  spent(
    of:
      | { readonly conversation: ConversationKey; readonly since: Instant }
      | { readonly bot: BotId; readonly user: UserId; readonly since: Instant },
  ): Promise<number>;
  /** Since an instant, the dearest first, at most `limit`. A compaction's user is empty: it is nobody's. */
  totals(by: 'conversation' | 'user' | 'bot', since: Instant, limit: number): Promise<readonly Total[]>;
  /** Days of the zone since an instant, the oldest first; `of` is a date such as `2026-11-21`. */
  daily(since: Instant, timeZone: string): Promise<readonly Total[]>;
};

/** What it is of, and what its attempts took together. */
export type Total = Usage & { readonly of: string; readonly attempts: number };

export type TurnTransaction = {
  readonly inbox: InboxSettlement;
  readonly outbox: OutboxAddition;
  readonly sessions: SessionSettlement;
  readonly ledger: { add(entry: LedgerEntry): Promise<void> };
  readonly turns: { add(record: TurnRecord): Promise<void> };
};

export type TurnStore = {
  /** Runs `work` in one transaction that checks the lease's fence inside it. Throws `LeaseLost`, writing nothing. */
  transaction<Result>(lease: Lease, work: (tx: TurnTransaction) => Promise<Result>): Promise<Result>;
  /** The newest turns, newest first, of one conversation or all. */
  recent(conversation: ConversationKey | null, limit: number): Promise<readonly TurnRecord[]>;
};

/** What watchers of a conversation see while it happens. */
export type TurnEvent = { readonly conversation: ConversationKey } & (
  | { readonly type: 'turn.started'; readonly tier: Tier; readonly start: Start; readonly reason: string }
  | { readonly type: 'text.delta'; readonly text: string }
  | { readonly type: 'tool.started'; readonly name: string }
  | { readonly type: 'tool.finished'; readonly failed: boolean }
  | { readonly type: 'turn.finished' | 'turn.failed'; readonly outcome: string; readonly turn: TurnRecord }
);

/**
 * Why a turn is asked to end.
 *
 * - `drain`: the server stops; the turn is not settled and runs again.
 * - `stopped`: somebody stopped it from outside the room, which is told so.
 * - `stopped-by-command`: somebody stopped it in the room; the command's own answer says so.
 * - `superseded`: a newer message takes its place.
 */
export type AbortReason = 'drain' | 'stopped' | 'stopped-by-command' | 'superseded';

/** What the queue and a running turn tell each other. */
export type TurnWatch = {
  /** Asks the turn to end; its `reason` is an `AbortReason`. */
  readonly abort: AbortSignal;
  /** The turn has taken its messages: what is accepted from now on is not among them. */
  claimed(): void;
  /** The turn has committed: what is accepted from now on does not wait for it. */
  committed(): void;
};

export type TurnOutcome = { readonly kind: 'idle' } | { readonly kind: 'ran'; readonly outcome: string };

export type TurnDeps = {
  readonly inbox: Pick<Inbox, 'peek' | 'claim' | 'claimAnswered' | 'ignore'>;
  readonly sessions: Sessions;
  readonly store: Pick<TurnStore, 'transaction'>;
  readonly ledger: Pick<Ledger, 'spent' | 'add'>;
  readonly bots: Pick<Bots, 'get'>;
  readonly loopBreaker: LoopBreaker;
  readonly noticeText: NoticeText;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Keeps a text as a file of the conversation's working directory; its path there, or null when it cannot. */
  saveText(conversation: ConversationKey, id: InboxId, text: string): Promise<string | null>;
  /** IANA name of the zone in which days begin. */
  readonly timeZone: string;
  /** Dates as they are told, in that zone. */
  readonly inWords: InWords;
  readonly limits: { readonly stuckAfterMs: number; readonly graceMs: number; readonly maxAgeMs: number };
  /** Whether the author is a bot; null when nothing readable says so. */
  isBot(message: InboxMessage): Promise<boolean | null>;
  publish(event: TurnEvent): void;
  /** Replies were committed: the sender may look. */
  owed(): void;
  readonly deliver: Deliver;
};

export type { DoubleTexting } from '../bots/bots.ts';
export { makeLoopBreaker } from './loop-breaker.ts';
export { makeInWords } from './prompt.ts';
export { makeRemark, makeWaitRemark } from './remark.ts';
export type { NoticeText } from './replies.ts';
export { runTurn } from './run-turn.ts';
