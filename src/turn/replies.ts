import type { Bot, NoticeDetails, NoticeKind } from '../bots/bots.ts';
import type { InboxMessage } from '../inbox/inbox.ts';
import type { NewReply, ReplyKind } from '../outbox/outbox.ts';

/** The text of a notice in the bot's language; the app binds it to the language files. */
export type NoticeText = (kind: NoticeKind, bot: Bot, details?: NoticeDetails) => string;

/** A row that answers `message`. */
export function replyTo(message: InboxMessage, kind: ReplyKind, markdown: string): NewReply {
  return {
    conversation: message.conversation,
    chat: message.chat,
    roomId: message.roomId,
    botId: message.botId,
    inboxId: message.id,
    kind,
    markdown,
  };
}

export function noticeTo(
  message: InboxMessage,
  kind: NoticeKind,
  bot: Bot,
  textOf: NoticeText,
  details: NoticeDetails = {},
): NewReply {
  return replyTo(message, kind, textOf(kind, bot, details));
}
