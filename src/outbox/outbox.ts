/**
 * Replies owed to a room. Everything that a room sees is one of these rows.
 *
 *   owed ──claim──▶ sending ──▶ sent
 *    ▲                 │ ────▶ unknown ──reconcile──▶ sent | owed
 *    └──── back-off ───┘ ────▶ buried{reason}
 *
 * Rows of one (chat, room, bot) go out in the order of their ids; nothing overtakes a row that is
 * `sending`, `unknown` or backed off. Terminal states (`sent`, `buried`) never change.
 */

import type { BotId, ChatName, ConversationKey, InboxId, Instant, OutboxId, RoomId } from '../base/terms.ts';
import type { SendOutcome } from '../chat/chat.ts';

export type OutboxState = 'owed' | 'sending' | 'unknown' | 'sent' | 'buried';

/** What a row is for the room; the texts of all but `reply` live in one file per language (`bots/texts/`). */
export type ReplyKind =
  | 'reply'
  | 'working'
  | 'busy'
  | 'takes_longer'
  | 'overloaded'
  | 'timed_out'
  | 'connection_trouble'
  | 'budget_reached'
  | 'step_limit'
  | 'fresh_start'
  | 'stopped'
  | 'help'
  | 'nothing_to_say'
  /** The answer to a command. */
  | 'command';

export type NewReply = {
  readonly conversation: ConversationKey;
  readonly chat: ChatName;
  readonly roomId: RoomId;
  readonly botId: BotId;
  /** The message it answers; null for a remark that belongs to none. */
  readonly inboxId: InboxId | null;
  readonly kind: ReplyKind;
  readonly markdown: string;
};

export type OutboxRow = NewReply & {
  readonly id: OutboxId;
  readonly state: OutboxState;
  /** Sends begun so far, this one included. */
  readonly attempts: number;
  readonly createdAt: Instant;
  /** When the last send began; null before the first. */
  readonly sendingAt: Instant | null;
  readonly platformId: string | null;
  /** It was sent again after an unknown outcome that nothing could read back (`SendResult`'s `mayBeDouble`; stays). */
  readonly mayBeDouble: boolean;
};

/** What the sender decided about a row that it had claimed. */
export type SendResult =
  | { readonly kind: 'sent'; readonly platformId: string | null }
  | {
      readonly kind: 'owed';
      readonly notBefore: Instant;
      readonly reason: string;
      readonly mayBeDouble?: boolean;
    }
  | { readonly kind: 'unknown'; readonly notBefore: Instant; readonly reason: string }
  | {
      readonly kind: 'buried';
      /** `unconfirmed`: sent twice, both times with an unknown outcome, on a platform that cannot be read. */
      readonly reason: Extract<SendOutcome, { kind: 'refused' }>['reason'] | 'too_old' | 'unconfirmed';
    };

export type Outbox = {
  /** Adds remarks outside a turn (busy, takes longer). A turn's own replies go through its transaction. */
  add(replies: readonly NewReply[]): Promise<void>;

  /**
   * At most one row of each (chat, room, bot): its oldest non-terminal one, where that is due at `now` — `owed` rows
   * become `sending` with attempt + 1 and `sendingAt = now`, committed when this resolves; `unknown` rows, and rows
   * left `sending` by a dead process, come back as `unknown` to be reconciled. `busy` lanes are skipped.
   */
  claim(now: Instant, busy: ReadonlySet<string>, limit: number): Promise<readonly OutboxRow[]>;

  finish(id: OutboxId, result: SendResult): Promise<void>;

  /** Platform ids that `sent` rows of this lane hold, and the newest of them (where reading back starts). */
  sentIds(
    row: Pick<OutboxRow, 'chat' | 'roomId' | 'botId'>,
  ): Promise<{ readonly ids: ReadonlySet<string>; readonly newest: string | null }>;

  counts(): Promise<{
    readonly owed: number;
    readonly unknown: number;
    readonly buried: number;
    readonly oldestOwedAt: Instant | null;
  }>;
};

/** The outbox's part of a turn's one transaction. */
export type OutboxAddition = {
  add(replies: readonly NewReply[]): Promise<void>;
  /**
   * Takes the lane's oldest unfinished row to `sending` in this very commit, as `Outbox.claim` does in one of its own;
   * null when that row is not `owed`, or not due. Only for a lane that the sender keeps for this transaction.
   */
  claim(lane: Lane): Promise<OutboxRow | null>;
};

export type Lane = Pick<OutboxRow, 'chat' | 'roomId' | 'botId'>;

/**
 * Runs a commit that owes replies to a lane; resolves, or rejects, as it does. While nothing goes on in the lane, the
 * commit may claim the lane's oldest row itself and hand it over: that row goes out without a second sync to disk. What
 * else it added goes out after it.
 */
export type Deliver = (lane: Lane, commit: (mayClaim: boolean) => Promise<OutboxRow | null>) => Promise<void>;

/** Rows of one lane keep their order; lanes go side by side. */
export function laneOf(row: Lane): string {
  return JSON.stringify([row.chat, row.roomId, row.botId]);
}
