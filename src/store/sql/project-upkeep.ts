import { type ExpressionBuilder, sql } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import type { Instant, SessionId } from '../../base/terms.ts';
import type { ProjectId, ProjectUpkeep, ResumeSample, RunUsage } from '../../projects/projects.ts';
import type { Database, Tx } from '../database.ts';
import type { Schema } from '../schema.ts';
import type { Reader } from './project-rows.ts';
import { addAudit } from './update-events.ts';
import { readSpent, type UpdateRow } from './update-rows.ts';
import { deleteTranscript } from './update-sessions.ts';

const DAY_MS = 86_400_000;

type Limits = Parameters<ProjectUpkeep['expire']>[0];

export function makeProjectUpkeep(database: Database, clock: Clock): ProjectUpkeep {
  const { read } = database;
  return {
    async resumeSamples(project, from, to, limit) {
      const rows = await selectSamples(read, project)
        .where('updates.finished_at', '>=', from)
        .where('updates.finished_at', '<', to)
        .orderBy('updates.finished_at', 'desc')
        .orderBy('updates.id', 'desc')
        .limit(limit)
        .execute();
      const spent = await readSpent(
        read,
        rows.map(({ id }) => id),
      );
      return rows.map((row) => toSample(row, spent.get(row.id)));
    },

    async expire(limits) {
      const found = await findUseless(read, limits).limit(limits.limit).execute();
      let sessions = 0;
      for (const { session_id } of found)
        if (await database.write((trx) => expireSession(trx, session_id, limits, clock.now()))) sessions += 1;
      return { sessions, events: await database.write((trx) => deleteEvents(trx, limits)) };
    },
  };
}

function selectSamples(db: Reader, project: ProjectId | null) {
  return db
    .selectFrom('updates')
    .selectAll('updates')
    .select(({ exists, selectFrom }) =>
      exists(
        selectFrom('project_versions as later')
          .select('later.no')
          .whereRef('later.project_id', '=', 'updates.project_id')
          .whereRef('later.no', '>', 'updates.result_version')
          .whereRef('later.restored_no', '<', 'updates.result_version')
          .where(sql<boolean>`later.created_at <= updates.committed_at + ${DAY_MS}`),
      ).as('is_restored_away'),
    )
    .where('updates.kind', '=', 'update')
    .where('updates.started_at', 'is not', null)
    .$if(project !== null, (query) => query.where('updates.project_id', '=', project ?? ('' as ProjectId)));
}

function toSample(
  row: UpdateRow & { readonly is_restored_away: unknown },
  spent: RunUsage | undefined,
): ResumeSample {
  const sum = { costUsd: 0, inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 };
  const usage = spent ?? { ...sum, runsWithoutCost: 0 };
  return {
    decision: row.resume_decision,
    reason: row.resume_reason,
    outcome: row.resume_outcome,
    arm: row.arm,
    status: row.status,
    costUsd: usage.runsWithoutCost > 0 ? null : usage.costUsd,
    tokens: usage.inputTokens + usage.outputTokens + usage.cacheReadTokens + usage.cacheWriteTokens,
    startedAt: row.started_at ?? row.queued_at,
    committedAt: row.committed_at,
    fixTurns: row.fix_turns,
    restoredAway: Boolean(row.is_restored_away),
  };
}

/** Sessions that nothing can go on from, the one unused for longest first; none of a project that an update holds. */
function findUseless(db: Reader, { keepVersions, unusedSince }: Limits) {
  return db
    .selectFrom('project_sessions as old')
    .select('old.session_id')
    .where(sql<boolean>`old.state <> 'deleted'`)
    .where('old.last_used_at', '<', unusedSince)
    .where((expression) => expression.not(isHead(expression)))
    .where((expression) => expression.not(isOfLastVersions(expression, keepVersions)))
    .where((expression) => expression.not(isProjectHeld(expression)))
    .orderBy('old.last_used_at')
    .orderBy('old.session_id');
}

type WithOld = Schema & { readonly old: Schema['project_sessions'] };
type OldExpression = ExpressionBuilder<WithOld, 'old'>;

function isHead({ exists, selectFrom }: OldExpression) {
  return exists(
    selectFrom('project_heads')
      .select('project_heads.project_id')
      .whereRef('project_heads.project_id', '=', 'old.project_id')
      .whereRef('project_heads.session_id', '=', 'old.session_id'),
  );
}

function isOfLastVersions({ exists, selectFrom }: OldExpression, keepVersions: number) {
  const newest = selectFrom('project_versions as newest')
    .select(({ fn }) => fn.max('newest.no').as('no'))
    .whereRef('newest.project_id', '=', 'old.project_id');
  return exists(
    selectFrom('project_versions as kept')
      .select('kept.no')
      .whereRef('kept.project_id', '=', 'old.project_id')
      .where('kept.no', '>', sql<number>`${newest} - ${keepVersions}`)
      .where(({ eb, or, ref }) =>
        or([
          eb('kept.edit_session', '=', ref('old.session_id')),
          eb('kept.final_session', '=', ref('old.session_id')),
        ]),
      ),
  );
}

function isProjectHeld({ exists, selectFrom }: OldExpression) {
  return exists(
    selectFrom('updates as holder')
      .select('holder.id')
      .whereRef('holder.project_id', '=', 'old.project_id')
      .where(sql<boolean>`holder.status in ('running', 'committed')`),
  );
}

/** Looks again: since it was found an update may have gone on from it. */
async function expireSession(trx: Tx, id: SessionId, limits: Limits, at: Instant): Promise<boolean> {
  const still = await findUseless(trx, limits).where('old.session_id', '=', id).executeTakeFirst();
  if (still === undefined) return false;
  const { project_id } = await trx
    .updateTable('project_sessions')
    .set({ state: 'deleted' })
    .where('session_id', '=', id)
    .returning('project_id')
    .executeTakeFirstOrThrow();
  await deleteTranscript(trx, id);
  const entry = { projectId: project_id, actor: 'server', sessionId: id, event: 'deleted' } as const;
  await addAudit(trx, at, { ...entry, reason: 'retention' });
  return true;
}

/** How many went. The terminal one stays, and with it the count of the others goes on. */
async function deleteEvents(trx: Tx, { endedBefore, limit }: Limits): Promise<number> {
  const old = trx
    .selectFrom('update_events as old')
    .innerJoin('updates', 'updates.id', 'old.update_id')
    .select(['old.update_id', 'old.seq'])
    .where(
      sql<boolean>`old.type not in ('update.completed', 'update.failed', 'update.cancelled', 'version.created')`,
    )
    .where('old.at', '<', endedBefore)
    .where('updates.finished_at', '<', endedBefore)
    .orderBy('old.at')
    .limit(limit);
  const { numDeletedRows } = await trx
    .deleteFrom('update_events')
    .where(({ eb, refTuple }) => eb(refTuple('update_id', 'seq'), 'in', old.$asTuple('update_id', 'seq')))
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}
