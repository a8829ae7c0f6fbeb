import { hash } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { EntryId, InboxId, Lease } from '../../base/terms.ts';
import type { Inbox, InboxMessage, IncomingMessage } from '../../inbox/inbox.ts';
import type { Database, Tx } from '../database.ts';
import { decideClaim } from './decide-claim.ts';
import { checkFence } from './fence.ts';
import { endMessages, type InboxRow, ids, inOrder, openOf, toMessage } from './inbox-rows.ts';
import { makeInboxWatch } from './inbox-watch.ts';

export function makeInbox(database: Database, clock: Clock, holder: string): Inbox {
  const { read } = database;
  return {
    accept(message) {
      const row = toRow(message);
      return database.write(async (trx) => {
        const inserted = await trx
          .insertInto('inbox')
          .values(row)
          .onConflict((conflict) => conflict.doNothing())
          .returning('id')
          .executeTakeFirst();
        if (inserted === undefined) return { kind: 'duplicate' };
        return { kind: 'accepted', id: inserted.id, idReused: await isIdReused(trx, message, inserted.id) };
      });
    },

    claim(lease, mode, promptId) {
      return database.write(async (trx) => {
        await checkFence(trx, lease, holder);
        const open = await openOf(trx, lease.conversation).execute();
        const taken = decideClaim(open, mode, clock.now());
        return start(trx, lease, taken, { prompt_id: promptId }, 1);
      });
    },

    async peek(conversation) {
      const [head] = await openOf(read, conversation).clearSelect().selectAll().limit(1).execute();
      if (head === undefined || decideClaim([head], 'one', clock.now()).length === 0) return null;
      return toMessage(head, head.prompt_id);
    },

    claimAnswered(lease, promptId) {
      return database.write(async (trx) => {
        await checkFence(trx, lease, holder);
        const answered = await openOf(trx, lease.conversation).where('prompt_id', '=', promptId).execute();
        return start(trx, lease, answered, {}, 0);
      });
    },

    ignore(lease, id, reason) {
      return database.write(async (trx) => {
        await checkFence(trx, lease, holder);
        await endMessages(trx, lease, [id], { state: 'ignored', outcome: reason, ended_at: clock.now() });
      });
    },

    ...makeInboxWatch(database, clock),
  };
}

/** Takes messages to `running`; the caller reads the prompt id of the attempt before this one. */
async function start(
  trx: Tx,
  lease: Lease,
  taken: readonly Pick<InboxRow, 'id' | 'prompt_id'>[],
  change: { readonly prompt_id?: EntryId },
  attempts: 0 | 1,
): Promise<readonly InboxMessage[]> {
  if (taken.length === 0) return [];
  const rows = await trx
    .updateTable('inbox')
    .set(({ eb }) => ({
      ...change,
      state: 'running',
      attempts: eb('attempts', '+', attempts),
      not_before: null,
      fence: lease.fence,
    }))
    .where('id', 'in', ids(taken))
    .returningAll()
    .execute();
  const promptIds = new Map(taken.map((message) => [message.id, message.prompt_id]));
  return inOrder(rows).map((row) => toMessage(row, promptIds.get(row.id) ?? null));
}

/** The same key under another author or text: ids restart when a chat is restored. Finds it in the dedupe index. */
async function isIdReused(trx: Tx, message: IncomingMessage, id: InboxId): Promise<boolean> {
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
    digest: hash('sha256', JSON.stringify([message.userId, message.text]), 'base64url'),
    text: message.text,
    state: 'waiting',
    attempts: 0,
    accepted_at: message.receivedAt,
  } as const;
}
