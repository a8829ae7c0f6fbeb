import { hash } from 'node:crypto';
import type { InboxId, Instant } from '../../base/terms.ts';
import type { AcceptOutcome, Inbox, IncomingMessage } from '../../inbox/inbox.ts';
import type { Database, Tx } from '../database.ts';
import { decideDuplicate } from './decide-duplicate.ts';
import type { InboxRow } from './inbox-rows.ts';
import { oneAtATime } from './locks.ts';

type Stored = Extract<AcceptOutcome, { id: InboxId }>;
/** A row that never waits: how it ended, and when. */
type End = Pick<InboxRow, 'state' | 'outcome'> & { readonly ended_at: Instant };

/** The message with its dedupe key, waiting or in a terminal state already; null: it is there. */
export async function storeMessage(
  trx: Tx,
  message: IncomingMessage,
  end: End | null,
): Promise<Omit<Stored, 'kind'> | null> {
  await oneAcceptAtATime(trx, message);
  const before = await withSameId(trx, message);
  const row = toRow(message);
  if (before.some((other) => decideDuplicate(row, other))) return null;
  const inserted = await trx
    .insertInto('inbox')
    .values({ ...row, ...end })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted === undefined ? null : { id: inserted.id, idReused: before.length > 0 };
}

/** Messages to a bot in a room are stored in the order in which they came. */
export function arrivalLane({ chat, botId, roomId }: IncomingMessage): string {
  return JSON.stringify([chat, botId, roomId]);
}

/** The same webhook twice in one moment, at two servers, would find nothing both times. */
export function oneAcceptAtATime(trx: Tx, message: IncomingMessage): Promise<void> {
  return oneAtATime(trx, 'accept', arrivalLane(message));
}

/** Whether this message is there. Without an id nothing says so. */
export async function isStored(read: Database['read'], message: IncomingMessage): Promise<boolean> {
  const row = toRow(message);
  return (await withSameId(read, message)).some((other) => decideDuplicate(row, other));
}

export async function known(
  read: Database['read'],
  ...[chat, bot, messages]: Parameters<Inbox['known']>
): Promise<ReadonlySet<string>> {
  if (messages.length === 0) return new Set();
  const rows = await read
    .selectFrom('inbox')
    .select(['message_id', 'user_id'])
    .where('chat', '=', chat)
    .where('bot_id', '=', bot)
    .where(
      'message_id',
      'in',
      messages.map(({ messageId }) => messageId),
    )
    .execute();
  const stored = new Set(rows.map((row) => JSON.stringify([row.message_id, row.user_id])));
  return new Set(
    messages
      .filter(({ messageId, userId }) => stored.has(JSON.stringify([messageId, userId])))
      .map(({ messageId }) => messageId),
  );
}

/** Each restored chat gives an id once more, so there are few; whoever sends one again and again costs no more. */
const MOST_WITH_SAME_ID = 50;

/** Messages with this one's id, found in the dedupe index. */
async function withSameId(db: Pick<Tx, 'selectFrom'>, message: IncomingMessage) {
  if (message.messageId === null) return [];
  return db
    .selectFrom('inbox')
    .select(['user_id', 'digest', 'accepted_at', 'sent_at'])
    .where('chat', '=', message.chat)
    .where('bot_id', '=', message.botId)
    .where('message_id', '=', message.messageId)
    .limit(MOST_WITH_SAME_ID)
    .execute();
}

function digestOf(message: IncomingMessage): string {
  return hash('sha256', JSON.stringify([message.userId, message.text]), 'base64url');
}

function toRow(message: IncomingMessage) {
  return {
    conversation: message.conversation,
    chat: message.chat,
    room_id: message.roomId,
    room_name: message.roomName,
    bot_id: message.botId,
    user_id: message.userId,
    user_name: message.userName,
    message_id: message.messageId,
    digest: digestOf(message),
    text: message.text,
    state: 'waiting',
    attempts: 0,
    accepted_at: message.receivedAt,
    sent_at: message.sentAt ?? null,
  } as const;
}
