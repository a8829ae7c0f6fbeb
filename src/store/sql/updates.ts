import type { Clock } from '../../base/clock.ts';
import type { ConversationKey } from '../../base/terms.ts';
import { type CancelOutcome, projectKey, type UpdateId, type UpdateQueue } from '../../projects/projects.ts';
import { CommitUnknown, type Database, type Tx } from '../database.ts';
import { claimUpdate } from './claim-update.ts';
import { enqueueUpdate } from './enqueue-update.ts';
import { checkFence } from './fence.ts';
import { giveUpLease, makeLeases } from './leases.ts';
import { addEvent } from './update-events.ts';
import { readRuns, readUpdate, toEvent, toUpdates } from './update-rows.ts';
import { makeUpdateTransaction } from './update-transaction.ts';

export type Holding = { readonly holder: string; readonly leaseMs: number };

export function makeUpdateQueue(database: Database, clock: Clock, holding: Holding): UpdateQueue {
  const { holder } = holding;
  const leases = makeLeases(database, clock, holding);
  return {
    ...makeUpdateViews(database),

    enqueue: (update) =>
      database.write((trx) => enqueueUpdate(trx, update, clock), {
        lane: `enqueue ${projectKey(update.projectId)}`,
      }),

    requestCancel: (id) => database.write((trx) => cancel(trx, id, clock)),

    claim: () => claim(database, clock, holding),

    renew: async ({ lease }) => (await leases.renew(lease)) !== null,

    async release({ lease }) {
      await leases.release(lease);
    },

    transaction: (claimed, work) =>
      database.write(
        async (trx) => {
          await checkFence(trx, claimed.lease, holder);
          return work(makeUpdateTransaction(trx, claimed, clock));
        },
        { patience: 'long', lane: claimed.lease.conversation },
      ),
  };
}

/** A claim whose commit is unknown is given up: nobody knows of its lease, and the update is found again as left. */
async function claim(database: Database, clock: Clock, { holder, leaseMs }: Holding) {
  const now = clock.now();
  const expiresAt = now + leaseMs;
  let taken: ConversationKey | null = null;
  const claiming = database.write((trx) => {
    taken = null;
    const taking = (conversation: ConversationKey): void => {
      taken = conversation;
    };
    return claimUpdate(trx, { holder, now, expiresAt, taking });
  });
  return claiming.catch(async (error) => {
    const conversation = taken;
    if (error instanceof CommitUnknown && conversation !== null)
      await database.write((trx) => giveUpLease(trx, { conversation, holder, expiresAt }), {
        patience: 'long',
      });
    throw error;
  });
}

async function cancel(trx: Tx, id: UpdateId, clock: Clock): Promise<CancelOutcome> {
  const at = clock.now();
  const cancelled = await trx
    .updateTable('updates')
    .set({
      status: 'cancelled',
      cancel_requested_at: at,
      finished_at: at,
      not_before: null,
      wait_reason: null,
    })
    .where('id', '=', id)
    .where('status', '=', 'queued')
    .returning('id')
    .executeTakeFirst();
  if (cancelled !== undefined) {
    await addEvent(trx, { updateId: id, at, type: 'update.cancelled', progress: null, payload: {} });
    return 'cancelled';
  }
  const asked = await trx
    .updateTable('updates')
    .set(({ fn, val }) => ({ cancel_requested_at: fn.coalesce('cancel_requested_at', val(at)) }))
    .where('id', '=', id)
    .where('finished_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  if (asked !== undefined) return 'asked';
  const ended = await trx.selectFrom('updates').select('status').where('id', '=', id).executeTakeFirst();
  if (ended === undefined) return 'unknown_update';
  return ended.status === 'cancelled' ? 'already_cancelled' : 'already_ended';
}

function makeUpdateViews({
  read,
}: Database): Pick<UpdateQueue, 'get' | 'list' | 'events' | 'runs' | 'signals' | 'counts'> {
  return {
    get: (id) => readUpdate(read, id),

    async list(project, { status, before, limit }) {
      const rows = await read
        .selectFrom('updates')
        .selectAll()
        .where('project_id', '=', project)
        .$if(status !== null, (query) => query.where('status', '=', status ?? 'queued'))
        .$if(before !== null, (query) => query.where('id', '<', before ?? (0 as UpdateId)))
        .orderBy('id', 'desc')
        .limit(limit)
        .execute();
      return toUpdates(read, rows);
    },

    async events(update, after, limit) {
      const rows = await read
        .selectFrom('update_events')
        .selectAll()
        .where('update_id', '=', update)
        .where('seq', '>', after)
        .orderBy('seq')
        .limit(limit)
        .execute();
      return rows.map(toEvent);
    },

    runs: (update) => readRuns(read, update, 'all'),

    async signals({ update, project }) {
      const now = await read
        .selectFrom('updates')
        .select('cancel_requested_at')
        .where('id', '=', update.id)
        .executeTakeFirst();
      const newer = await read
        .selectFrom('updates')
        .select('id')
        .where('project_id', '=', project.id)
        .where('finished_at', 'is', null)
        .where('id', '>', update.id)
        .limit(1)
        .executeTakeFirst();
      return { cancelRequested: now?.cancel_requested_at != null, newerWaits: newer !== undefined };
    },

    async counts() {
      const rows = await read
        .selectFrom('updates')
        .select(({ fn }) => ['status' as const, fn.countAll<number>().as('count')])
        .where('finished_at', 'is', null)
        .groupBy('status')
        .execute();
      const queued = rows.find(({ status }) => status === 'queued')?.count ?? 0;
      return { queued, running: rows.reduce((sum, { count }) => sum + count, 0) - queued };
    },
  };
}
