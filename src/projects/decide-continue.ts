import type { SessionId } from '../base/terms.ts';
import { MOST_ATTEMPTS } from './decide-run-end.ts';
import type { Claim, Step } from './project-store.ts';
import type { CommitId, StepKind, TreeId, UpdateKind } from './terms.ts';

export type ContinueFacts = {
  readonly kind: UpdateKind;
  readonly attempt: number;
  /** The step that was begun last. */
  readonly step: StepKind | null;
  /** Oldest first. */
  readonly steps: Claim['steps'];
  /** What the run of an edit that never ended left in its session: a finished answer, or less than that. */
  readonly openEdit: 'answered' | 'unfinished' | 'none';
};

/**
 * Where an update that is not committed goes on.
 *
 * - `give-up`: every attempt took its server down.
 * - `prepare`: from its beginning; `reset`: the working directory holds half an edit, and this is what it was before.
 * - `take-edit`: the agent had finished; what is in the working directory is its work.
 * - `verify`, `commit`: with this tree.
 */
export type Continuation =
  | { readonly at: 'give-up' | 'prepare'; readonly reset: ResetTo | null }
  | { readonly at: 'take-edit'; readonly base: CommitId | null }
  | { readonly at: 'verify' | 'commit'; readonly edit: EditDone };

/** `commit` null: the project had no files. */
export type ResetTo = { readonly commit: CommitId | null };
export type EditDone = {
  readonly base: CommitId | null;
  readonly tree: TreeId;
  readonly session: SessionId | null;
};

/** Pure: the step rows say how far earlier attempts came. */
export function decideContinue(facts: ContinueFacts): Continuation {
  const { steps } = facts;
  const at = steps.findLastIndex((step) => step.kind === 'edit');
  const edit = steps[at];
  // Once a later attempt has begun to prepare, or was told to, the working directory is as it should be.
  const isClean = edit === undefined || edit.state === 'succeeded' || facts.step === 'prepare';
  const reset = isClean ? null : { commit: edit.checkpoint.base ?? null };
  if (facts.attempt > MOST_ATTEMPTS) return { at: 'give-up', reset: reset ?? resetOf(edit) };
  if (edit?.state === 'running' && facts.openEdit === 'answered')
    return { at: 'take-edit', base: edit.checkpoint.base ?? null };
  const done = edit === undefined ? null : doneOf(edit);
  if (done === null) return { at: 'prepare', reset };
  return afterEdit(done, steps.slice(at + 1));
}

function afterEdit(edit: EditDone, later: readonly Step[]): Continuation {
  const verify = later.findLast((step) => step.kind === 'verify');
  const isVerified = verify?.state === 'succeeded' || verify?.state === 'skipped';
  const isBegun = later.some((step) => step.kind === 'commit');
  return { at: isVerified || isBegun ? 'commit' : 'verify', edit };
}

function doneOf({ state, checkpoint, outputSession }: Step): EditDone | null {
  if (state !== 'succeeded' || checkpoint.tree === undefined) return null;
  return { base: checkpoint.base ?? null, tree: checkpoint.tree, session: outputSession };
}

/** An edit that succeeded and is given up after all goes, too. */
function resetOf(edit: Step | undefined): ResetTo | null {
  return edit?.state === 'succeeded' ? { commit: edit.checkpoint.base ?? null } : null;
}

export type OptionalStep = 'recommend' | 'document' | 'compact';

/**
 * Pure: whether an optional step of a committed update runs. One that its server left in the middle is not tried again,
 * but for the recommendations, which are tried once more.
 */
export function decideOptional(
  step: OptionalStep,
  facts: { readonly steps: readonly Step[]; readonly runs: number },
): 'run' | 'done' | 'give-up' {
  const last = facts.steps.findLast(({ kind }) => kind === step);
  if (last === undefined) return 'run';
  if (last.state !== 'running' && last.state !== 'interrupted') return 'done';
  return step === 'recommend' && facts.runs < 2 ? 'run' : 'give-up';
}
