import { type ExpressionBuilder, sql } from 'kysely';
import type { ConversationKey, Instant } from '../../base/terms.ts';
import { type Claim, type ProjectId, projectKey, type UpdateId } from '../../projects/projects.ts';
import type { Tx } from '../database.ts';
import type { Schema } from '../schema.ts';
import { takeLease } from './leases.ts';
import { lockRows } from './locks.ts';
import { lockProject, readProject } from './project-rows.ts';
import { readRuns, readSteps, readUpdate } from './update-rows.ts';

export type Claimer = {
  readonly holder: string;
  readonly now: Instant;
  readonly expiresAt: Instant;
  /** Told before the lease is taken. */
  taking(conversation: ConversationKey): void;
};

/** What may be claimed, its row locked so that no two claimers go for the same one. */
type Candidate = { readonly id: UpdateId; readonly project_id: ProjectId };

/** Null: nothing is due, or somebody else was faster. */
export async function claimUpdate(trx: Tx, claimer: Claimer): Promise<Claim | null> {
  const left = await findLeft(trx, claimer.now);
  const next = left ?? (await findQueued(trx, claimer.now));
  if (next === undefined) return null;
  const state = await lockProject(trx, next.project_id);
  if (left === undefined && state !== 'active') return null;

  const conversation = projectKey(next.project_id);
  claimer.taking(conversation);
  const { holder, expiresAt } = claimer;
  const lease = await takeLease(trx, { conversation, holder, expiresAt }, { freeAt: claimer.now });
  if (lease === null) return null;
  await start(trx, next.id, claimer.now);
  const update = await readUpdate(trx, next.id);
  const project = await readProject(trx, next.project_id);
  if (update === null || project === null)
    throw new Error('an update that is locked stays, as does its project');
  const steps = await readSteps(trx, next.id);
  return { lease, update, project, steps, openRuns: await readRuns(trx, next.id, 'open') };
}

/** Runs, or is committed, and nobody holds its project: its server died. */
function findLeft(trx: Tx, now: Instant): Promise<Candidate | undefined> {
  const left = trx
    .selectFrom('updates as next')
    .select(['next.id', 'next.project_id'])
    .where('next.status', 'in', ['running', 'committed'])
    .where('next.finished_at', 'is', null)
    .where((expression) => isFree(expression, now))
    .orderBy('next.id')
    .limit(1);
  return lockRows(trx, left, 'skip-locked', 'next').executeTakeFirst();
}

/**
 * The oldest that waits, is due, and has none before it in its project: what is before it waits too, or runs. At most
 * so many wait in each project, so what is read follows the projects that wait, and ends with the first that may run.
 */
function findQueued(trx: Tx, now: Instant): Promise<Candidate | undefined> {
  const queued = trx
    .selectFrom('updates as next')
    .select(['next.id', 'next.project_id'])
    .where('next.status', '=', 'queued')
    .where('next.finished_at', 'is', null)
    .where(({ eb, or }) => or([eb('next.not_before', 'is', null), eb('next.not_before', '<=', now)]))
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('updates as ahead')
            .select('ahead.id')
            .whereRef('ahead.project_id', '=', 'next.project_id')
            .whereRef('ahead.id', '<', 'next.id')
            .where('ahead.finished_at', 'is', null),
        ),
      ),
    )
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('projects')
          .select('projects.id')
          .whereRef('projects.id', '=', 'next.project_id')
          .where('projects.state', '=', 'active'),
      ),
    )
    .where((expression) => isFree(expression, now))
    .orderBy('next.id')
    .limit(1);
  return lockRows(trx, queued, 'skip-locked', 'next').executeTakeFirst();
}

type WithNext = Schema & { readonly next: Schema['updates'] };

function isFree({ not, exists, selectFrom }: ExpressionBuilder<WithNext, 'next'>, now: Instant) {
  return not(
    exists(
      selectFrom('leases')
        .select('leases.fence')
        .where(sql<boolean>`leases.conversation = 'project:' || next.project_id`)
        .where('leases.expires_at', '>', now),
    ),
  );
}

async function start(trx: Tx, id: UpdateId, now: Instant): Promise<void> {
  await trx
    .updateTable('updates')
    .set({
      attempt: sql<number>`case status when 'committed' then attempt else attempt + 1 end`,
      status: sql<'running'>`case status when 'queued' then 'running' else status end`,
      started_at: sql<number>`coalesce(started_at, ${now})`,
      not_before: null,
      wait_reason: null,
    })
    .where('id', '=', id)
    .execute();
}
