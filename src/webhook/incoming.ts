import { toConversationKey } from '../base/conversation.ts';
import type { ChatName, RoomId, UserId } from '../base/terms.ts';
import type { Bot } from '../bots/bots.ts';
import type { IncomingMessage } from '../inbox/inbox.ts';

/** What a payload or a room says of a message, cleaned. */
export type Said = Pick<
  IncomingMessage,
  'roomName' | 'userName' | 'messageId' | 'text' | 'receivedAt' | 'sentAt'
> & {
  readonly roomId: RoomId;
  readonly userId: UserId;
};

/** The message as it is accepted; its conversation is the room's, or the person's in it where the bot's file says so. */
export function toIncoming(chat: ChatName, bot: Bot, said: Said): IncomingMessage {
  const { roomId, userId } = said;
  const owner = bot.sessionScope === 'user' ? userId : null;
  return {
    conversation: toConversationKey({ chat, roomId, botId: bot.id, userId: owner }),
    chat,
    botId: bot.id,
    ...said,
  };
}
