import type { RoomId } from '../base/terms.ts';
import type { Bot } from './bots.ts';
import { type NoticeDetails, type NoticeKind, noticeText } from './texts.ts';

/** The bot's time to live in a room, in milliseconds; null: it never expires there. */
export function ttlIn(bot: Pick<Bot, 'sessionTtlMs' | 'roomTtlMs'>, room: RoomId | null): number | null {
  const ofRoom = room === null ? undefined : bot.roomTtlMs.get(room);
  return ofRoom === undefined ? bot.sessionTtlMs : ofRoom;
}

/** A notice in the bot's language and name. */
export function noticeOf(
  kind: NoticeKind,
  bot: Pick<Bot, 'language' | 'name'>,
  details: NoticeDetails = {},
): string {
  return noticeText(kind, bot.language, { botName: bot.name, ...details });
}
