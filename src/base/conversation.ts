import type { BotId, ChatName, ConversationKey, RoomId, UserId } from './terms.ts';

/** One bot in one room of one chat; with `userId`, one bot with one person in it (`session_scope: user`). */
export type Conversation = {
  readonly chat: ChatName;
  readonly roomId: RoomId;
  readonly botId: BotId;
  readonly userId: UserId | null;
};

/** `<chat>:<room>:<bot>[:<user>]`, each part after the chat percent-encoded so that a colon in an id cannot forge another key. */
export function toConversationKey(conversation: Conversation): ConversationKey {
  const parts = [
    conversation.roomId,
    conversation.botId,
    ...(conversation.userId === null ? [] : [conversation.userId]),
  ];
  return `${conversation.chat}:${parts.map(encodeURIComponent).join(':')}` as ConversationKey;
}

/** The parts of a key, or null when the text is none. A Campfire chat name has one colon of its own. */
export function parseConversationKey(key: string): Conversation | null {
  const parts = key.split(':');
  const chat = parts[0] === 'campfire' ? parts.splice(0, 2).join(':') : parts.splice(0, 1).join('');
  if (parts.length < 2 || parts.length > 3 || chat === '' || parts.some((part) => part === '')) return null;
  const [room, bot, user] = parts.map(decodePart);
  if (room == null || bot == null || user === null) return null;
  return {
    chat: chat as ChatName,
    roomId: room as RoomId,
    botId: bot as BotId,
    userId: user === undefined ? null : (user as UserId),
  };
}

function decodePart(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
