import type { Selectable } from 'kysely';
import type { ConversationKey, EntryId, InboxId, Instant, Lease } from '../../base/terms.ts';
import type { InboxMessage } from '../../inbox/inbox.ts';
import type { Tx } from '../database.ts';
import type { Schema } from '../schema.ts';
import { decideClaim, MOST_CLAIMED } from './decide-claim.ts';

export type InboxRow = Selectable<Schema['inbox']>;

/** The unfinished messages of a conversation, oldest first, without their text. */
export function openOf(db: Pick<Tx, 'selectFrom'>, conversation: ConversationKey) {
  return db
    .selectFrom('inbox')
    .select(['id', 'state', 'user_id', 'not_before', 'prompt_id'])
    .where('conversation', '=', conversation)
    .where('ended_at', 'is', null)
    .orderBy('id')
    .limit(MOST_CLAIMED);
}

/** Whether something is due for a conversation that nobody holds: what `due` says, for this one. */
export async function hasDue(trx: Tx, conversation: ConversationKey, now: Instant): Promise<boolean> {
  const open = await openOf(trx, conversation).limit(1).execute();
  return decideClaim(open, 'one', now).length > 0;
}

/** Ends unfinished messages of the lease's own conversation, or throws: terminal states never change. */
export async function endMessages(
  trx: Tx,
  lease: Lease,
  ended: readonly InboxId[],
  change: Pick<InboxRow, 'state' | 'outcome' | 'ended_at'>,
): Promise<void> {
  if (ended.length === 0) return;
  const rows = await openAmong(trx, lease, ended).set(change).returning('id').execute();
  assertAll(ended, rows, lease);
}

export function openAmong(trx: Tx, lease: Lease, among: readonly InboxId[]) {
  return trx
    .updateTable('inbox')
    .where('id', 'in', [...among])
    .where('conversation', '=', lease.conversation)
    .where('ended_at', 'is', null);
}

/** The lease holds, so nobody else can have ended them: a missing one is a bug, and nothing of the turn is written. */
export function assertAll(asked: readonly InboxId[], changed: readonly unknown[], lease: Lease): void {
  if (changed.length === asked.length) return;
  throw new Error(
    `only ${changed.length} of the messages ${asked.join(', ')} of ${lease.conversation} could change`,
  );
}

export function toMessage(row: InboxRow, promptId: EntryId | null): InboxMessage {
  return {
    id: row.id,
    conversation: row.conversation,
    chat: row.chat,
    roomId: row.room_id,
    roomName: row.room_name,
    botId: row.bot_id,
    userId: row.user_id,
    userName: row.user_name,
    messageId: row.message_id,
    text: row.text,
    state: row.state,
    attempts: row.attempts,
    acceptedAt: row.accepted_at,
    ...(row.sent_at === null ? {} : { sentAt: row.sent_at }),
    promptId,
  };
}

export function ids<Id>(rows: readonly { readonly id: Id }[]): Id[] {
  return rows.map((row) => row.id);
}

/** Waits that others name come with fractions, and Postgres takes none. */
export function wholeMs(instant: Instant): Instant {
  return Math.ceil(instant);
}

/** `returning` promises no order. */
export function inOrder<Row extends { readonly id: number }>(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => a.id - b.id);
}
