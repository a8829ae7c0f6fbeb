import type { BotId, RoomId, UserId } from '../base/terms.ts';
import type { Chat } from './chat.ts';

export type AuthorCheckDeps = {
  readonly chat: Pick<Chat, 'isBot'>;
  /** Keys of our own bots, as far as they are known; each starts with its user id. */
  ownKeys(): readonly string[];
};

export type AuthorCheck = {
  /** Whether this is one of our own bots; asks nobody. */
  isOurs(user: UserId): boolean;
  /** Whether a message's author is a bot: ours, or what the platform says; null when it says nothing. */
  isBot(message: {
    readonly roomId: RoomId;
    readonly botId: BotId;
    readonly userId: UserId;
  }): Promise<boolean | null>;
};

export function makeAuthorCheck({ chat, ownKeys }: AuthorCheckDeps): AuthorCheck {
  const isOurs = (user: UserId): boolean => ownKeys().some((key) => key.split('-', 1)[0] === user);
  return {
    isOurs,
    isBot: async (message) => isOurs(message.userId) || chat.isBot(message, message.userId),
  };
}
