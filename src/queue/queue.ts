/** One turn at a time per conversation, several conversations at once; waking is fast, polling is the safety net. */
import type { Clock } from '../base/clock.ts';
import type { ConversationKey, Instant, Lease } from '../base/terms.ts';
import type { Leases } from '../cluster/cluster.ts';
import type { Inbox, InboxMessage } from '../inbox/inbox.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { DoubleTexting, TurnOutcome, TurnWatch } from '../turn/turn.ts';

export type QueueDeps = {
  readonly inbox: Pick<Inbox, 'due' | 'markOverdue' | 'waitingIn'>;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  runTurn(lease: Lease, watch: TurnWatch): Promise<TurnOutcome>;
  /** What the conversation's bot does with a message that comes while a turn runs. */
  doubleTextingOf(conversation: ConversationKey): DoubleTexting;
  /** Tells a room that its message waits behind a running turn, or waits long. A remark, not an end. */
  remark(
    conversation: ConversationKey,
    kind: 'busy' | 'takes_longer',
    message: InboxMessage | null,
  ): Promise<void>;
  readonly limits: {
    /** Turns that run at once. */
    readonly atOnce: number;
    readonly pollMs: number;
    readonly renewMs: number;
    /** A message that has waited so long is told once that it takes longer. */
    readonly overdueMs: number;
  };
};

/** A conversation whose turn is under way, for stats. */
export type ActiveTurn = { readonly conversation: ConversationKey; readonly since: Instant };

export type Queue = {
  /** Something was accepted for the conversation. Never blocks, never throws. */
  wake(conversation: ConversationKey): void;
  start(): void;
  active(): readonly ActiveTurn[];
  /** Asks the conversation's running turn to end, by default with a word in the room; false when none runs. */
  interrupt(conversation: ConversationKey, reason?: 'stopped' | 'stopped-by-command'): boolean;
  /** No new turn of the conversation begins until the function that this returns is called. */
  hold(conversation: ConversationKey): () => void;
  /**
   * Runs `work` under the conversation's lease as soon as no turn of it runs. Null: it was not run, because another
   * piece of work waits already, the lease is not to be had, or the queue drains.
   */
  runBetween<Result>(
    conversation: ConversationKey,
    work: (lease: Lease) => Promise<Result>,
  ): Promise<Result | null>;
  /** Resolves when the conversation runs no turn. */
  idle(conversation: ConversationKey): Promise<void>;
  /** No new turns; resolves when the running ones have ended, after `drainMs` by interrupting them. */
  drain(drainMs: number): Promise<void>;
};

export { rewarmRecent } from './rewarm-recent.ts';
export { makeQueue } from './run-queue.ts';
