/**
 * Messages accepted and not yet answered. A row is on disk before the webhook is answered and leaves its
 * non-terminal states only through a fenced settle.
 *
 *   waiting ──claim──▶ running ──settle──▶ settled{answered|notice}
 *      ▲                  │ ──bury───▶ buried (after 3 attempts, too old, or told to stop), with a notice
 *      └────give back─────┘            ignored{bot|rejected|not_allowed} (never ran)
 *
 * Terminal states never change. A command, a rejected message and another bot's of our own never wait: their rows are
 * stored in their terminal state; so is that of one of too many.
 */
import type {
  BotId,
  ChatName,
  ConversationKey,
  EntryId,
  InboxId,
  Instant,
  Lease,
  RoomId,
  UserId,
} from '../base/terms.ts';

/** What a webhook says, parsed; `messageId` null means that it cannot be deduplicated. */
export type IncomingMessage = {
  readonly conversation: ConversationKey;
  readonly chat: ChatName;
  readonly roomId: RoomId;
  /** Null in a direct room. */
  readonly roomName: string | null;
  readonly botId: BotId;
  readonly userId: UserId;
  readonly userName: string;
  readonly messageId: string | null;
  readonly text: string;
  readonly receivedAt: Instant;
  /** When it was sent: only for a late one, whose webhook did not come or was refused. */
  readonly sentAt?: Instant;
};

/**
 * - `accepted`: it waits for its turn; the queue is to be woken.
 * - `answered`, `rejected`, `ignored`, `overloaded`: it is stored and has ended (a command; turned away; of another bot;
 *   one of too many).
 * - `duplicate`: it was there before.
 * - `full`: it is not stored, because too many wait; whoever has it may send it again.
 */
export type AcceptOutcome =
  | {
      readonly kind: 'accepted' | 'answered' | 'rejected' | 'ignored' | 'overloaded';
      readonly id: InboxId;
      readonly idReused: boolean;
    }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'full' };

export type InboxState = 'waiting' | 'running' | 'settled' | 'buried' | 'ignored';
export type IgnoreReason = 'bot' | 'not_allowed' | 'rejected';

export type InboxMessage = Omit<IncomingMessage, 'receivedAt'> & {
  readonly id: InboxId;
  readonly state: InboxState;
  /** How often a turn has claimed it, this one included. */
  readonly attempts: number;
  readonly acceptedAt: Instant;
  /** The UUID that the prompt of the attempt before this one carried in the transcript; null when there was none. */
  readonly promptId: EntryId | null;
};

/** How waiting messages join a turn. */
export type ClaimMode = 'one' | 'same-author';

/** A terminal outcome for `bury`. */
export type BuryReason = 'attempts' | 'too_old' | 'connection_trouble' | 'stopped';

export type Inbox = {
  /**
   * Dedupe key and row in one transaction, synced to disk when this resolves. The same key with another author or
   * other text is a new message (`idReused`): ids restart when a chat is restored. Between a late message and its
   * webhook the text does not count: it may have been edited, and is read in another way. Rejects when the database does.
   */
  accept(message: IncomingMessage): Promise<AcceptOutcome>;

  /** The ids of those that were accepted before, by id and author alone. */
  known(
    chat: ChatName,
    bot: BotId,
    messages: readonly { readonly messageId: string; readonly userId: UserId }[],
  ): Promise<ReadonlySet<string>>;

  /**
   * Takes the oldest due message (with `same-author`: all due ones of its author) to `running`, attempt + 1,
   * with `promptId`; committed when this resolves. A row left `running` by an older fence is taken first, as itself.
   * Empty when nothing is due, or when another message than `oldest` is the oldest. Throws `LeaseLost`.
   */
  claim(lease: Lease, mode: ClaimMode, promptId: EntryId, oldest?: InboxId): Promise<readonly InboxMessage[]>;

  /** The message that `claim` would take next (due, or left running by an older fence); null when nothing is due. */
  peek(conversation: ConversationKey): Promise<InboxMessage | null>;

  /**
   * Takes exactly the unfinished messages whose last attempt carried `promptId` to `running` without counting an
   * attempt: their answer was found in the transcript. Empty when there are none. Throws `LeaseLost`.
   */
  claimAnswered(lease: Lease, promptId: EntryId): Promise<readonly InboxMessage[]>;

  /** Ends a message that no turn will run (loop guard, allow-lists). Throws `LeaseLost`. */
  ignore(lease: Lease, id: InboxId, reason: IgnoreReason): Promise<void>;

  /**
   * Conversations that nobody holds and whose oldest unfinished message can be claimed at `now` (waiting and past its
   * `not_before`, or left running), oldest first.
   */
  due(now: Instant, limit: number): Promise<readonly ConversationKey[]>;

  /**
   * Waiting messages accepted before `before` that were not yet told that it takes longer, marked as told in the same
   * transaction. Back-off does not count: a row with a `not_before`, and what waits behind one, is left out.
   */
  markOverdue(before: Instant, limit: number): Promise<readonly InboxMessage[]>;

  counts(): Promise<{
    /** Accepted since the database was made. */
    readonly total: number;
    readonly waiting: number;
    readonly running: number;
    readonly oldestWaitingAt: Instant | null;
  }>;
  /** Waiting messages of one conversation. */
  waitingIn(conversation: ConversationKey): Promise<number>;
  /** The last of them to come; null when none waits. */
  newestWaiting(conversation: ConversationKey): Promise<InboxMessage | null>;
  /** Waiting messages of each conversation that has any, at most `limit` of them. */
  waitingByConversation(limit: number): Promise<ReadonlyMap<ConversationKey, number>>;
};

/** The inbox's part of a turn's one transaction. */
export type InboxSettlement = {
  /** Of unfinished messages of the lease's conversation, as are the others; anything else throws and undoes the turn. */
  settle(ids: readonly InboxId[], end: 'answered' | 'notice'): Promise<void>;
  /** Back to `waiting`, not before `notBefore`; `countAttempt: false` forgets this attempt (a drain is nobody's fault). */
  giveBack(
    ids: readonly InboxId[],
    back: { readonly notBefore: Instant | null; readonly countAttempt: boolean },
  ): Promise<void>;
  bury(ids: readonly InboxId[], reason: BuryReason): Promise<void>;
};
