/**
 * Chat platforms behind one port: where replies go and where a bot's own words can be read back.
 * Implementations: `campfire/`, `builtin/`. Nothing outside this folder knows which one runs.
 */
import type { BotId, ChatName, Instant, RoomId, UserId } from '../base/terms.ts';

/** Where a reply goes. The key (Campfire's bot key) comes from the bot file, the environment or an authenticated webhook. */
export type ReplyTarget = {
  readonly roomId: RoomId;
  readonly botId: BotId;
};

/**
 * What became of a post.
 *
 * - `sent`: the platform has it; `platformId` is its message id there.
 * - `retry`: the platform certainly does not have it; try again, not before `afterMs` when given.
 * - `unknown`: it may or may not have it (timeout, reset, 5xx after the body was written): read back before sending again.
 * - `refused`: it will never take it; the row is buried with the reason.
 */
export type SendOutcome =
  | { readonly kind: 'sent'; readonly platformId: string | null }
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs?: number }
  | { readonly kind: 'unknown'; readonly reason: string }
  | {
      readonly kind: 'refused';
      readonly reason: 'key_refused' | 'room_gone' | 'no_key' | 'rejected';
      readonly detail: string;
    };

/** A message of the bot's own as it stands in the room. */
export type OwnMessage = { readonly platformId: string; readonly plainText: string };

/** A message that a webhook was, or should have been, sent for: what that webhook says. */
export type HeardMessage = {
  readonly messageId: string;
  readonly roomId: RoomId;
  /** Null in a direct room. */
  readonly roomName: string | null;
  readonly userId: UserId;
  readonly userName: string;
  /** Its plain text without the bot's own name. */
  readonly plain: string;
  /** How many people and bots it mentions: each may have left a gap in `plain`. */
  readonly mentions: number;
  readonly sentAt: Instant;
};

export type HeardQuestion = {
  readonly botId: BotId;
  readonly since: Instant;
  /** The rooms that the bot was heard in before: not every platform can say where it is. A direct one has no name. */
  readonly rooms: readonly { readonly roomId: RoomId; readonly roomName: string | null }[];
};

/** `isWhole: false`: a part could not be read just now, ask again later. `unreadable`: this platform has no way at all. */
export type Heard =
  | { readonly kind: 'read'; readonly messages: readonly HeardMessage[]; readonly isWhole: boolean }
  | { readonly kind: 'unreadable' };

export type Chat = {
  readonly name: ChatName;

  /** Posts Markdown, rendered to what the platform shows. Never throws for what the platform answers. */
  send(target: ReplyTarget, markdown: string): Promise<SendOutcome>;

  /** The plain text that the platform makes of what `send` posts for this Markdown; what reconcile compares. */
  plainText(markdown: string): string;

  /**
   * The bot's own messages in the room after `afterId` (null: the newest ones), oldest first.
   * `'unreadable'`: this platform (an older Campfire without its database) cannot be read at all.
   * `'unreachable'`: it could be, but did not answer as it should just now; ask again later.
   */
  readOwn(
    target: ReplyTarget,
    afterId: string | null,
  ): Promise<readonly OwnMessage[] | 'unreadable' | 'unreachable'>;

  /**
   * The messages since then that mention the bot (in direct rooms: all), whether their webhook came or not, oldest
   * first; none of its own. Bounded: the newest some hundreds.
   */
  heard(question: HeardQuestion): Promise<Heard>;

  /** Whether the author is a bot of that platform; null when nothing readable says so. */
  isBot(target: ReplyTarget, author: UserId): Promise<boolean | null>;

  /** Whether the user is an administrator of that platform; null when nothing readable says so. */
  isAdministrator(target: ReplyTarget, user: UserId): Promise<boolean | null>;
};

/**
 * Whether two plain texts are the same post: the same letters and digits in the same order (white space, markup and
 * punctuation drift on the way through a platform). A text without any, an emoji say, is compared without its spaces.
 */
export function sameWords(one: string, other: string): boolean {
  const words = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '');
  if (words(one) !== words(other)) return false;
  const bare = (text: string) => text.replace(/[\s\p{Cf}]+/gu, '');
  return words(one) !== '' || bare(one) === bare(other);
}

/** One message of the built-in room, as its page shows it. */
export type RoomMessage = {
  readonly id: number;
  readonly roomId: RoomId;
  readonly author: { readonly id: string; readonly name: string; readonly isBot: boolean };
  readonly html: string;
  readonly plainText: string;
  readonly createdAt: number;
};

/** Where the built-in room's messages are kept. */
export type RoomStore = {
  add(message: Omit<RoomMessage, 'id'>): Promise<RoomMessage>;
  /** Messages after `afterId` (null: the newest), oldest first, at most `limit`. */
  list(room: RoomId, afterId: number | null, limit: number): Promise<readonly RoomMessage[]>;
};

/** Rooms that bots were told of by Campfire's own authenticated webhooks; a direct one has no name. */
export type BotRooms = {
  note(
    chat: ChatName,
    bot: BotId,
    room: { readonly roomId: RoomId; readonly roomName: string | null },
  ): Promise<void>;
  /** Those that were noted last come first. */
  of(chat: ChatName, bot: BotId, limit: number): Promise<HeardQuestion['rooms']>;
};

/** Bot keys learned from authenticated webhooks, for bots whose file names none. Never logged. */
export type BotKeys = {
  learned(chat: ChatName, bot: BotId): Promise<string | null>;
  learn(chat: ChatName, bot: BotId, key: string): Promise<void>;
};
