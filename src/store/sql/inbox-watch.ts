import type { Clock } from '../../base/clock.ts';
import type { ConversationKey, InboxId, Instant } from '../../base/terms.ts';
import type { Inbox } from '../../inbox/inbox.ts';
import type { Database, Tx } from '../database.ts';
import { ids, inOrder, toMessage } from './inbox-rows.ts';
import { lockRows } from './locks.ts';

/**
 * What the queue's poll and the pages ask of the whole inbox. Every statement says `ended_at is null` and so reads the
 * indexes of unfinished messages: its cost does not grow with what was ever accepted.
 */
export function makeInboxWatch(
  database: Database,
  clock: Clock,
): Pick<Inbox, 'due' | 'markOverdue' | 'counts' | 'waitingIn' | 'newestWaiting' | 'waitingByConversation'> {
  const { read } = database;
  return {
    due: (now, limit) => selectDue(read, now, limit),

    markOverdue(before, limit) {
      return database.write(async (trx) => {
        const overdue = await selectOverdue(trx, before, limit);
        if (overdue.length === 0) return [];
        const rows = await trx
          .updateTable('inbox')
          .set({ told_longer_at: clock.now() })
          .where('id', 'in', ids(overdue))
          .returningAll()
          .execute();
        return inOrder(rows).map((row) => toMessage(row, row.prompt_id));
      });
    },

    async counts() {
      const open = await selectOpenByState(read);
      const newest = await read
        .selectFrom('inbox')
        .select('id')
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst();
      const waiting = open.find((group) => group.state === 'waiting');
      const running = open.find((group) => group.state === 'running');
      return {
        // Ids are counted up and never given twice.
        total: newest?.id ?? 0,
        waiting: waiting?.count ?? 0,
        running: running?.count ?? 0,
        oldestWaitingAt: waiting?.oldest ?? null,
      };
    },

    async waitingIn(conversation) {
      const { count } = await read
        .selectFrom('inbox')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where('conversation', '=', conversation)
        .where('ended_at', 'is', null)
        .where('state', '=', 'waiting')
        .executeTakeFirstOrThrow();
      return count;
    },

    async newestWaiting(conversation) {
      const row = await read
        .selectFrom('inbox')
        .selectAll()
        .where('conversation', '=', conversation)
        .where('ended_at', 'is', null)
        .where('state', '=', 'waiting')
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row === undefined ? null : toMessage(row, row.prompt_id);
    },

    async waitingByConversation(limit) {
      const groups = await read
        .selectFrom('inbox')
        .select(({ fn }) => ['conversation', fn.countAll<number>().as('count')])
        .where('ended_at', 'is', null)
        .where('state', '=', 'waiting')
        .groupBy('conversation')
        .limit(limit)
        .execute();
      return new Map(groups.map((group) => [group.conversation, group.count]));
    },
  };
}

/** Conversations whose oldest unfinished message can be claimed and that nobody holds. */
async function selectDue(
  read: Database['read'],
  now: Instant,
  limit: number,
): Promise<readonly ConversationKey[]> {
  const heads = await read
    .selectFrom('inbox as head')
    .select('head.conversation')
    .where('head.ended_at', 'is', null)
    .where(({ eb, or }) => or([eb('head.not_before', 'is', null), eb('head.not_before', '<=', now)]))
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('inbox as older')
            .select('older.id')
            .where('older.ended_at', 'is', null)
            .whereRef('older.conversation', '=', 'head.conversation')
            .whereRef('older.id', '<', 'head.id'),
        ),
      ),
    )
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('leases')
            .select('leases.conversation')
            .whereRef('leases.conversation', '=', 'head.conversation')
            .where('leases.expires_at', '>', now),
        ),
      ),
    )
    .orderBy('head.id')
    .limit(limit)
    .execute();
  return heads.map((head) => head.conversation);
}

/** Not yet told, and not held by a back-off: neither its own nor that of a message before it. */
async function selectOverdue(
  trx: Tx,
  before: Instant,
  limit: number,
): Promise<readonly { readonly id: InboxId }[]> {
  const overdue = trx
    .selectFrom('inbox as late')
    .select('late.id')
    .where('late.ended_at', 'is', null)
    .where('late.told_longer_at', 'is', null)
    .where('late.accepted_at', '<', before)
    .where('late.state', '=', 'waiting')
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('inbox as held')
            .select('held.id')
            .where('held.ended_at', 'is', null)
            .whereRef('held.conversation', '=', 'late.conversation')
            .whereRef('held.id', '<=', 'late.id')
            .where('held.not_before', 'is not', null),
        ),
      ),
    )
    .orderBy('late.accepted_at')
    .limit(limit);
  // One that is being claimed in this moment does not wait any more.
  return lockRows(trx, overdue, 'skip-locked', 'late').execute();
}

function selectOpenByState(read: Database['read']) {
  return read
    .selectFrom('inbox')
    .select(({ fn }) => [
      'state',
      fn.countAll<number>().as('count'),
      fn.min<Instant>('accepted_at').as('oldest'),
    ])
    .where('ended_at', 'is', null)
    .groupBy('state')
    .execute();
}
