import type { Clock } from '../../base/clock.ts';
import type { EntryId, Lease } from '../../base/terms.ts';
import type { AcceptOutcome, Inbox, InboxMessage } from '../../inbox/inbox.ts';
import type { Database, Tx } from '../database.ts';
import { arrivalLane, known, storeMessage } from './accept.ts';
import { decideClaim } from './decide-claim.ts';
import { checkFence } from './fence.ts';
import { endMessages, type InboxRow, ids, inOrder, openOf, toMessage } from './inbox-rows.ts';
import { makeInboxWatch } from './inbox-watch.ts';
import { lockRows } from './locks.ts';

export function makeInbox(database: Database, clock: Clock, holder: string): Inbox {
  const { read } = database;
  return {
    accept(message) {
      const accepting = async (trx: Tx): Promise<AcceptOutcome> => {
        const stored = await storeMessage(trx, message, null);
        return stored === null ? { kind: 'duplicate' } : { kind: 'accepted', ...stored };
      };
      return database.write(accepting, { lane: arrivalLane(message) });
    },

    known: (...about) => known(read, ...about),

    claim(lease, mode, promptId, oldest) {
      return database.write(async (trx) => {
        await checkFence(trx, lease, holder);
        // Locked: whoever drops what waits must not end one of them while it is taken.
        const open = await lockRows(trx, openOf(trx, lease.conversation), 'wait').execute();
        if (oldest !== undefined && open[0]?.id !== oldest) return [];
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
        const open = openOf(trx, lease.conversation).where('prompt_id', '=', promptId);
        const answered = await lockRows(trx, open, 'wait').execute();
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
