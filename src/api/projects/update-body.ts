import { hash } from 'node:crypto';
import { z } from 'zod';
import { PROGRESS, type Run, type Update, type UpdateEvent } from '../../projects/projects.ts';
import { toIso } from '../wire.ts';
import { UPDATE_ERRORS } from './update-errors.ts';

export const MOST_PROMPT_BYTES = 64 * 1024;

export const statuses = z.enum(['queued', 'running', 'committed', 'completed', 'failed', 'cancelled']);
const time = z.iso.datetime();
const cost = z.object({
  total_usd: z.number(),
  currency: z.literal('USD'),
  complete: z.boolean().describe('False: a run of it has no cost of its own, which is not in the total'),
});
const tokens = z.object({
  input: z.int(),
  output: z.int(),
  cache_read: z.int(),
  cache_write: z.int(),
});

export const updateBody = z.object({
  id: z.int(),
  project_id: z.string(),
  kind: z.enum(['update', 'restore', 'compact', 'import']),
  user_id: z.string(),
  prompt: z.string().nullable(),
  status: statuses,
  step: z
    .enum(['prepare', 'edit', 'verify', 'commit', 'recommend', 'document', 'compact', 'finalize'])
    .nullable()
    .describe('The one that runs, or ran last'),
  wait: z
    .object({ reason: z.enum(['back-off', 'provider-limit', 'frozen']), until: time.nullable() })
    .nullable()
    .describe('Why it waits although it is its turn'),
  attempt: z.int(),
  resume: z.object({
    policy: z.enum(['auto', 'never', 'require']),
    decision: z.enum(['resume', 'fresh']).nullable(),
    reason: z.string().nullable(),
    outcome: z.enum(['not-attempted', 'accepted', 'fell-back', 'failed']).nullable(),
    arm: z.enum(['resume', 'holdout']).nullable(),
  }),
  base_version: z.int().nullable(),
  result_version: z.int().nullable(),
  restore_version: z.int().nullable().describe('Of a restore: the version whose files come back'),
  degraded: z.array(z.string()),
  error: z.object({ code: z.string(), title: z.string(), retryable: z.boolean() }).nullable(),
  progress: z.number().min(0).max(1),
  fix_turns: z.int(),
  cancel_requested: z.boolean(),
  cost,
  tokens,
  times: z.object({
    queued: time,
    started: time.nullable(),
    committed: time.nullable(),
    finished: time.nullable(),
  }),
  links: z.object({
    self: z.string(),
    events: z.string(),
    project: z.string(),
    version: z.string().nullable(),
  }),
});
export type UpdateBody = z.input<typeof updateBody>;

export function toUpdateBody(update: Update): UpdateBody {
  const { options, resume, error } = update;
  return {
    id: update.id,
    project_id: update.projectId,
    kind: update.kind,
    user_id: update.userId,
    prompt: update.prompt,
    status: update.status,
    step: update.step,
    wait:
      update.waitReason === null ? null : { reason: update.waitReason, until: toIsoOrNull(update.notBefore) },
    attempt: update.attempt,
    resume: {
      policy: options.resume,
      decision: resume.decision,
      reason: resume.reason,
      outcome: resume.outcome,
      arm: resume.arm,
    },
    base_version: update.baseVersion,
    result_version: update.resultVersion,
    restore_version: options.restoreVersion,
    degraded: [...update.degraded],
    // Its detail is for the log.
    error: error === null ? null : { code: error.code, ...UPDATE_ERRORS[error.code] },
    progress: progressOf(update),
    fix_turns: update.fixTurns,
    cancel_requested: update.cancelRequestedAt !== null,
    ...toSpentBody(update.spent),
    times: {
      queued: toIso(update.queuedAt),
      started: toIsoOrNull(update.startedAt),
      committed: toIsoOrNull(update.committedAt),
      finished: toIsoOrNull(update.finishedAt),
    },
    links: linksOf(update),
  };
}

export function addressOf({ id }: Pick<Update, 'id'>): string {
  return `/v1/updates/${id}`;
}

function linksOf(update: Update): UpdateBody['links'] {
  const self = addressOf(update);
  const project = `/v1/projects/${update.projectId}`;
  const version = update.resultVersion === null ? null : `${project}/versions/${update.resultVersion}`;
  return { self, events: `${self}/events`, project, version };
}

export function toSpentBody(spent: Update['spent']): {
  cost: z.input<typeof cost>;
  tokens: z.input<typeof tokens>;
} {
  return {
    cost: { total_usd: spent.costUsd, currency: 'USD', complete: spent.runsWithoutCost === 0 },
    tokens: {
      input: spent.inputTokens,
      output: spent.outputTokens,
      cache_read: spent.cacheReadTokens,
      cache_write: spent.cacheWriteTokens,
    },
  };
}

/** What comes between the beginnings of steps is told by the events. */
export function progressOf({ status, step }: Pick<Update, 'status' | 'step'>): number {
  if (status === 'completed') return 1;
  return step === null ? 0 : PROGRESS[step];
}

/** The same for as long as nothing of the update has changed. */
export function etagOf(body: UpdateBody): string {
  return `"${hash('sha256', JSON.stringify(body), 'base64url')}"`;
}

export const runBody = z.object({
  id: z.int(),
  purpose: z.enum(['edit', 'recommend', 'document', 'compact']),
  mode: z.enum(['fresh', 'fork', 'resume']),
  outcome: z.string(),
  steps: z.int(),
  cost,
  tokens,
  times: z.object({
    started: time,
    first_text: time.nullable(),
    first_edit: time.nullable(),
    finished: time.nullable(),
  }),
});

/** Without what the agent process said, and without its sessions. */
export function toRunBody(run: Run): z.input<typeof runBody> {
  return {
    id: run.id,
    purpose: run.purpose,
    mode: run.mode,
    outcome: run.outcome,
    steps: run.steps,
    ...toSpentBody(run.usage),
    times: {
      started: toIso(run.startedAt),
      first_text: toIsoOrNull(run.firstTextAt),
      first_edit: toIsoOrNull(run.firstEditAt),
      finished: toIsoOrNull(run.finishedAt),
    },
  };
}

export const eventBody = z.object({
  update_id: z.int(),
  seq: z.int().describe('1, 2, 3 … within the update; the id of the server-sent event'),
  at: time,
  type: z.string(),
  progress: z.number().describe('Never less than that of the event before'),
  payload: z.record(z.string(), z.unknown()),
});

export function toEventBody(event: UpdateEvent): z.input<typeof eventBody> {
  const { updateId, seq, at, type, progress, payload } = event;
  return { update_id: updateId, seq, at: toIso(at), type, progress, payload: { ...payload } };
}

export function toIsoOrNull(instant: number | null): string | null {
  return instant === null ? null : toIso(instant);
}
