/** The messages that a bot's webhooks are about, read from Campfire's own database. */
import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { type Instant, roomId, userId as toUserId } from '../../base/terms.ts';
import type { HeardMessage } from '../chat.ts';
import { toPlainText } from '../plain-text.ts';
import { countMentions, mentions, withoutOwnName } from './mentions.ts';

/** `users.role` of a bot. */
export const BOT_ROLE = 2;
/** Of all rooms: whatever is older is not looked at. The question blocks the server, this many take some milliseconds. */
const MOST_LOOKED_AT = 20_000;
export const MOST_HEARD = 400;

const BotRow = z.object({ name: z.string() });
const LowestRow = z.object({ id: z.number().nullable() });
const HeardRow = z.object({
  id: z.number(),
  room_id: z.number(),
  room_name: z.string().nullable(),
  room_type: z.string(),
  user_id: z.number(),
  user_name: z.string(),
  created_at: z.string(),
  words: z.string().nullable(),
  html: z.string().nullable(),
});

/** A bot that is gone, or has no webhook any more, hears nothing: whoever switched it off wants no answers. */
export function readHeard(database: DatabaseSync, bot: number, since: Instant): readonly HeardMessage[] {
  const known = database
    .prepare(
      `SELECT name FROM users WHERE id = ? AND role = ${BOT_ROLE} AND status = 0
       AND EXISTS (SELECT 1 FROM webhooks WHERE user_id = users.id AND url != '')`,
    )
    .get(bot);
  if (known === undefined) return [];
  const lowest = lowestId(database, since);
  if (lowest === null) return [];
  const { name } = BotRow.parse(known);
  // From the newest message back, by the primary key; rooms and texts are looked up for each.
  const rows = database
    .prepare(
      `SELECT m.id AS id, m.room_id AS room_id, r.name AS room_name, r.type AS room_type,
         u.id AS user_id, u.name AS user_name, m.created_at AS created_at, i.body AS words, t.body AS html
       FROM messages m
       CROSS JOIN memberships s ON s.room_id = m.room_id AND s.user_id = ?
       CROSS JOIN rooms r ON r.id = m.room_id
       CROSS JOIN users u ON u.id = m.creator_id
       LEFT JOIN message_search_index i ON i.rowid = m.id
       LEFT JOIN action_text_rich_texts t
         ON t.record_type = 'Message' AND t.record_id = m.id AND t.name = 'body'
       WHERE m.id >= ? AND m.creator_id != ? AND m.created_at >= ?
         AND (r.type = 'Rooms::Direct' OR t.body LIKE '%sgid=%')
       ORDER BY m.id DESC`,
    )
    .iterate(bot, lowest, bot, toTimestamp(since));
  return collect(rows, bot, name).reverse();
}

/** The oldest message of that time among the newest ones; null when there is none. */
function lowestId(database: DatabaseSync, since: Instant): number | null {
  const row = database
    .prepare(
      `SELECT min(id) AS id FROM (SELECT id, created_at FROM messages ORDER BY id DESC LIMIT ${MOST_LOOKED_AT})
       WHERE created_at >= ?`,
    )
    .get(toTimestamp(since));
  return LowestRow.parse(row).id;
}

function collect(rows: Iterable<unknown>, bot: number, name: string): HeardMessage[] {
  const heard: HeardMessage[] = [];
  for (const unchecked of rows) {
    const row = HeardRow.parse(unchecked);
    if (row.room_type !== 'Rooms::Direct' && !mentions(row.html ?? '', bot)) continue;
    heard.push(toHeard(row, name));
    if (heard.length === MOST_HEARD) break;
  }
  return heard;
}

function toHeard(row: z.infer<typeof HeardRow>, botName: string): HeardMessage {
  return {
    messageId: String(row.id),
    roomId: roomId(String(row.room_id)),
    roomName: row.room_type === 'Rooms::Direct' ? null : row.room_name,
    userId: toUserId(String(row.user_id)),
    userName: row.user_name,
    plain: withoutOwnName(row.words ?? toPlainText(row.html ?? ''), botName),
    mentions: countMentions(row.html ?? ''),
    sentAt: Date.parse(`${row.created_at.slice(0, 23).replace(' ', 'T')}Z`),
  };
}

/** As Campfire writes times: in UTC, to be compared as texts. */
function toTimestamp(instant: Instant): string {
  return new Date(instant).toISOString().replace('T', ' ').replace('Z', '');
}
