import { hash } from 'node:crypto';
import type { Instant } from '../../base/terms.ts';
import type { AcceptOutcome, IncomingMessage } from '../../inbox/inbox.ts';
import type { Database, Tx } from '../database.ts';
import type { InboxRow } from './inbox-rows.ts';

type Stored = Exclude<AcceptOutcome, { kind: 'duplicate' }>;
/** A row that never waits: how it ended, and when. */
type End = Pick<InboxRow, 'state' | 'outcome'> & { readonly ended_at: Instant };

/** The message with its dedupe key, waiting or in a terminal state already; null: it is there. */
export async function storeMessage(
  trx: Tx,
  message: IncomingMessage,
  end: End | null,
): Promise<Omit<Stored, 'kind'> | null> {
  const inserted = await trx
    .insertInto('inbox')
    .values({ ...toRow(message), ...end })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  if (inserted === undefined) return null;
  return { id: inserted.id, idReused: await isIdReused(trx, message, inserted.id) };
}

/** Whether exactly this message is there. Without an id nothing says so. */
export async function isStored(read: Database['read'], message: IncomingMessage): Promise<boolean> {
  if (message.messageId === null) return false;
  const row = await read
    .selectFrom('inbox')
    .select('id')
    .where('chat', '=', message.chat)
    .where('bot_id', '=', message.botId)
    .where('message_id', '=', message.messageId)
    .where('digest', '=', digestOf(message))
    .executeTakeFirst();
  return row !== undefined;
}

/** The same key under another author or text: ids restart when a chat is restored. Finds it in the dedupe index. */
async function isIdReused(trx: Tx, message: IncomingMessage, id: Stored['id']): Promise<boolean> {
  if (message.messageId === null) return false;
  const other = await trx
    .selectFrom('inbox')
    .select('id')
    .where('chat', '=', message.chat)
    .where('bot_id', '=', message.botId)
    .where('message_id', '=', message.messageId)
    .where('id', '!=', id)
    .limit(1)
    .executeTakeFirst();
  return other !== undefined;
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
  } as const;
}
