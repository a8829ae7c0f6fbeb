import type { Clock } from '../../base/clock.ts';
import type { EnqueueOutcome, NewUpdate, ProjectId } from '../../projects/projects.ts';
import type { Tx } from '../database.ts';
import { decideEnqueue } from './decide-enqueue.ts';
import { lockProject, type Reader } from './project-rows.ts';
import { addEvent } from './update-events.ts';
import { toUpdates, type UpdateRow } from './update-rows.ts';

/** The project is locked, so that ids appear in their order within it and what was counted stays true. */
export async function enqueueUpdate(trx: Tx, update: NewUpdate, clock: Clock): Promise<EnqueueOutcome> {
  const state = await lockProject(trx, update.projectId);
  const known = await findByKey(trx, update);
  const head = await readHeadVersion(trx, update.projectId);
  const open = await countOpen(trx, update.projectId);
  const outcome = decideEnqueue({
    known: known === undefined ? null : known.digest === update.digest ? 'same' : 'other',
    state,
    waiting: open.queued,
    ahead: open.queued + open.running,
    head: head ?? 0,
    expected: update.options.expectedVersion,
  });
  if (outcome === 'version_mismatch') return { kind: outcome, head };
  if (outcome !== 'queued' && outcome !== 'known') return { kind: outcome };
  const row = known ?? (await insert(trx, update, open.queued + open.running + open.committed, clock));
  const [stored] = await toUpdates(trx, [row]);
  if (stored === undefined) throw new Error('an update that is stored is there');
  return { kind: outcome, update: stored };
}

function findByKey(trx: Tx, { projectId, idempotencyKey }: NewUpdate): Promise<UpdateRow | undefined> {
  return trx
    .selectFrom('updates')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('idempotency_key', '=', idempotencyKey)
    .executeTakeFirst();
}

async function readHeadVersion(trx: Tx, project: ProjectId) {
  const head = await trx
    .selectFrom('project_heads')
    .select('version')
    .where('project_id', '=', project)
    .executeTakeFirst();
  return head?.version ?? null;
}

async function countOpen(db: Reader, project: ProjectId) {
  const rows = await db
    .selectFrom('updates')
    .select(({ fn }) => ['status' as const, fn.countAll<number>().as('count')])
    .where('project_id', '=', project)
    .where('finished_at', 'is', null)
    .groupBy('status')
    .execute();
  const countOf = (status: string): number => rows.find((row) => row.status === status)?.count ?? 0;
  return { queued: countOf('queued'), running: countOf('running'), committed: countOf('committed') };
}

async function insert(trx: Tx, update: NewUpdate, ahead: number, clock: Clock): Promise<UpdateRow> {
  const row = await trx
    .insertInto('updates')
    .values({
      project_id: update.projectId,
      user_id: update.userId,
      kind: update.kind,
      prompt: update.prompt,
      options: JSON.stringify(update.options),
      idempotency_key: update.idempotencyKey,
      digest: update.digest,
      status: 'queued',
      attempt: 0,
      degraded: '[]',
      fix_turns: 0,
      queued_at: clock.now(),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await addEvent(trx, {
    updateId: row.id,
    at: row.queued_at,
    type: 'update.queued',
    progress: 0,
    payload: { ahead },
  });
  return row;
}
