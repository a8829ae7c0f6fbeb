import type { BotId, RoomId, UserId } from '../base/terms.ts';
import type { Chat } from './chat.ts';

export type AuthorCheckDeps = {
  readonly chat: Pick<Chat, 'isBot'>;
  /** Keys of our own bots, as far as they are known; each starts with its user id. */
  ownKeys(): readonly string[];
};

/** Whether a message's author is a bot: ours are known by the id in their keys, others by what the platform says. */
export function makeAuthorCheck(deps: AuthorCheckDeps) {
  return async (message: { roomId: RoomId; botId: BotId; userId: UserId }): Promise<boolean | null> => {
    if (deps.ownKeys().some((key) => key.split('-', 1)[0] === message.userId)) return true;
    return deps.chat.isBot({ roomId: message.roomId, botId: message.botId }, message.userId);
  };
}
