/** Rows of updates, their steps, runs and events as the nouns that the ports speak of. */
import type { Selectable } from 'kysely';
import type {
  Checkpoint,
  Degradation,
  Run,
  RunUsage,
  Step,
  StepKind,
  Update,
  UpdateEvent,
  UpdateId,
  UpdateOptions,
} from '../../projects/projects.ts';
import type { Schema } from '../schema.ts';
import type { Reader } from './project-rows.ts';

export type UpdateRow = Selectable<Schema['updates']>;

const NOTHING_SPENT: RunUsage = {
  costUsd: 0,
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  runsWithoutCost: 0,
};

/** In their order, with what their runs took. */
export async function toUpdates(db: Reader, rows: readonly UpdateRow[]): Promise<readonly Update[]> {
  const spent = await readSpent(
    db,
    rows.map(({ id }) => id),
  );
  return rows.map((row) => toUpdate(row, spent.get(row.id) ?? NOTHING_SPENT));
}

export async function readUpdate(db: Reader, id: UpdateId): Promise<Update | null> {
  const rows = await db.selectFrom('updates').selectAll().where('id', '=', id).execute();
  const [update] = await toUpdates(db, rows);
  return update ?? null;
}

/** By update; those without a run are not in it. */
export async function readSpent(
  db: Reader,
  ids: readonly UpdateId[],
): Promise<ReadonlyMap<UpdateId, RunUsage>> {
  if (ids.length === 0) return new Map();
  const sums = await db
    .selectFrom('update_runs')
    .select(({ fn }) => [
      'update_id' as const,
      fn.sum<number>('cost_usd').as('costUsd'),
      fn.sum<number>('input_tokens').as('inputTokens'),
      fn.sum<number>('output_tokens').as('outputTokens'),
      fn.sum<number>('cache_read_tokens').as('cacheReadTokens'),
      fn.sum<number>('cache_write_tokens').as('cacheWriteTokens'),
      fn.sum<number>('without_cost').as('runsWithoutCost'),
    ])
    .where('update_id', 'in', ids)
    .groupBy('update_id')
    .execute();
  return new Map(sums.map(({ update_id, ...usage }) => [update_id, usage]));
}

function toUpdate(row: UpdateRow, spent: RunUsage): Update {
  return {
    id: row.id,
    projectId: row.project_id,
    userId: row.user_id,
    kind: row.kind,
    prompt: row.prompt,
    // Written by `enqueue`, and `degraded` by the transactions of the update.
    options: JSON.parse(row.options) as UpdateOptions,
    status: row.status,
    step: row.step,
    attempt: row.attempt,
    notBefore: row.not_before,
    waitReason: row.wait_reason,
    degraded: toDegraded(row),
    baseVersion: row.base_version,
    resultVersion: row.result_version,
    resume: {
      decision: row.resume_decision,
      reason: row.resume_reason,
      outcome: row.resume_outcome,
      arm: row.arm,
    },
    fixTurns: row.fix_turns,
    cancelRequestedAt: row.cancel_requested_at,
    error: row.error_code === null ? null : { code: row.error_code, detail: row.error_detail ?? '' },
    queuedAt: row.queued_at,
    startedAt: row.started_at,
    committedAt: row.committed_at,
    finishedAt: row.finished_at,
    spent,
  };
}

export function toDegraded(row: Pick<UpdateRow, 'degraded'>): readonly Degradation[] {
  return JSON.parse(row.degraded) as readonly Degradation[];
}

const STEP_ORDER: readonly StepKind[] = [
  'prepare',
  'edit',
  'verify',
  'commit',
  'recommend',
  'document',
  'compact',
  'finalize',
];

/** Oldest first: an attempt goes through its steps in their order. */
export async function readSteps(db: Reader, update: UpdateId): Promise<readonly Step[]> {
  const rows = await db
    .selectFrom('update_steps')
    .selectAll()
    .where('update_id', '=', update)
    .orderBy('attempt')
    .execute();
  const place = ({ attempt, kind }: Step): number => attempt * STEP_ORDER.length + STEP_ORDER.indexOf(kind);
  return rows.map(toStep).sort((a, b) => place(a) - place(b));
}

function toStep(row: Selectable<Schema['update_steps']>): Step {
  return {
    kind: row.kind,
    attempt: row.attempt,
    state: row.state,
    inputSession: row.input_session,
    outputSession: row.output_session,
    checkpoint: toCheckpoint(row),
  };
}

export function toCheckpoint(row: { readonly checkpoint: string }): Checkpoint {
  return JSON.parse(row.checkpoint) as Checkpoint; // Written by `steps.begin` and `steps.end`.
}

/** Oldest first. */
export async function readRuns(db: Reader, update: UpdateId, which: 'all' | 'open'): Promise<readonly Run[]> {
  const rows = await db
    .selectFrom('update_runs')
    .selectAll()
    .where('update_id', '=', update)
    .$if(which === 'open', (query) => query.where('finished_at', 'is', null))
    .orderBy('id')
    .execute();
  return rows.map(toRun);
}

function toRun(row: Selectable<Schema['update_runs']>): Run {
  return {
    id: row.id,
    updateId: row.update_id,
    purpose: row.purpose,
    mode: row.mode,
    sessionId: row.session_id,
    reportedSessionId: row.reported_session_id,
    outcome: row.outcome,
    detail: row.detail,
    usage: {
      costUsd: row.cost_usd,
      inputTokens: row.input_tokens,
      outputTokens: row.output_tokens,
      cacheReadTokens: row.cache_read_tokens,
      cacheWriteTokens: row.cache_write_tokens,
      runsWithoutCost: row.without_cost,
    },
    steps: row.steps,
    startedAt: row.started_at,
    firstTextAt: row.first_text_at,
    firstEditAt: row.first_edit_at,
    finishedAt: row.finished_at,
  };
}

export function toEvent(row: Selectable<Schema['update_events']>): UpdateEvent {
  return {
    updateId: row.update_id,
    seq: row.seq,
    at: row.at,
    type: row.type,
    progress: row.progress,
    // Written by `addEvent`.
    payload: JSON.parse(row.payload) as UpdateEvent['payload'],
  };
}
