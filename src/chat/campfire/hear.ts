/** What a bot was told, or should have been: from Campfire's database where that is readable, else room by room. */
import { type Instant, type RoomId, userId as toUserId } from '../../base/terms.ts';
import type { Heard, HeardMessage, HeardQuestion } from '../chat.ts';
import { type BotKey, parseNumber } from './address.ts';
import type { Exchange } from './exchange.ts';
import { countMentions, mentions, renderedName, withoutOwnName } from './mentions.ts';
import type { CampfireDatabase } from './read-database.ts';
import { MOST_HEARD } from './read-heard.ts';
import { type ListedMessage, MOST_PAGES, readPage } from './read-list.ts';

const PAGE_LIMIT_MS = 10_000;
/** Rooms with the newest messages first; each costs a request at least. */
const MOST_ROOMS = 200;
/** No room has this number: what the answer looks like says whether there is a list endpoint. */
const NO_ROOM = 0;

export type HearDeps = {
  readonly exchange: Exchange;
  readonly database: CampfireDatabase | null;
};

export async function hear(deps: HearDeps, key: BotKey, question: HeardQuestion): Promise<Heard> {
  const stored = deps.database?.heardBy(key.userId, question.since) ?? null;
  if (stored !== null) return { kind: 'read', messages: stored, isWhole: true };
  return hearRooms(deps.exchange, key, question);
}

async function hearRooms(exchange: Exchange, key: BotKey, question: HeardQuestion): Promise<Heard> {
  const probe = await readPage(exchange, { room: NO_ROOM, key, before: null, limitMs: PAGE_LIMIT_MS });
  if (probe === 'absent') return { kind: 'unreadable' };
  if (probe === 'unreachable') return { kind: 'read', messages: [], isWhole: false };
  const messages: HeardMessage[] = [];
  let isWhole = true;
  for (const room of question.rooms.slice(0, MOST_ROOMS)) {
    const listed = await listSince(exchange, key, room.roomId, question.since);
    if (listed === null) isWhole = false;
    else messages.push(...chooseHeard(listed, key.userId, room));
  }
  messages.sort((one, other) => one.sentAt - other.sentAt || Number(one.messageId) - Number(other.messageId));
  return { kind: 'read', messages: messages.slice(-MOST_HEARD), isWhole };
}

/** The room's messages since then, oldest first; none when the bot may not read them; null: not readable now. */
async function listSince(
  exchange: Exchange,
  key: BotKey,
  roomId: RoomId,
  since: Instant,
): Promise<readonly ListedMessage[] | null> {
  const room = parseNumber(roomId);
  if (room === null) return [];
  const listed: ListedMessage[] = [];
  let before: number | null = null;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const page = await readPage(exchange, { room, key, before, limitMs: PAGE_LIMIT_MS });
    // The cursor was deleted meanwhile: another round begins at the newest page again.
    if (page === 'refused') return before === null ? [] : null;
    if (typeof page === 'string') return null;
    listed.unshift(...page.filter(({ created_at }) => Date.parse(created_at) >= since));
    const oldest = page[0];
    if (oldest === undefined || Date.parse(oldest.created_at) < since) break;
    before = oldest.id;
  }
  return listed;
}

function chooseHeard(
  listed: readonly ListedMessage[],
  bot: number,
  room: HeardQuestion['rooms'][number],
): readonly HeardMessage[] {
  const lastName = listed.findLast(({ creator }) => creator.id === bot)?.creator.name ?? null;
  return listed
    .filter(({ creator }) => creator.id !== bot)
    .filter(({ body }) => room.roomName === null || mentions(body.html, bot))
    .map((message) => ({
      messageId: String(message.id),
      ...room,
      userId: toUserId(String(message.creator.id)),
      userName: message.creator.name,
      plain: withoutOwnName(message.body.plain_text, renderedName(message.body.html, bot) ?? lastName),
      mentions: countMentions(message.body.html),
      sentAt: Date.parse(message.created_at),
    }));
}
