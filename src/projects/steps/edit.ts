import { newSessionId } from '../../base/ids.ts';
import type { EditDone } from '../decide-continue.ts';
import { decideRunEnd, type RunEnd } from '../decide-run-end.ts';
import type { UpdateTransaction } from '../project-store.ts';
import { type Drift, editPrompt, type Orientation } from '../prompts.ts';
import { type AgentRun, modelOf, runAgent } from '../run-agent.ts';
import type { ProjectSession } from '../terms.ts';
import { baseOf, beginStep, degrade, type Halt, type Work } from '../work.ts';
import { fallBack } from './choose-session.ts';
import { driftSince, orientation } from './look-around.ts';
import type { Prepared } from './prepare.ts';
import { haltOf, observeRun } from './run-halt.ts';

export type Edited = EditDone & { readonly kind: 'edited' };

/** The agent changes the files; once more with a fresh session when the one to go on from is not there. */
export async function edit(
  work: Work,
  prepared: Prepared,
  parent: ProjectSession | null,
): Promise<Edited | Halt> {
  const first = await editOnce(work, prepared, parent);
  if (first.kind !== 'fell-back') return first;
  const second = await editOnce(work, prepared, null);
  return second.kind === 'fell-back' ? { kind: 'stop' } : second;
}

type FellBack = { readonly kind: 'fell-back' };

async function editOnce(
  work: Work,
  prepared: Prepared,
  parent: ProjectSession | null,
): Promise<Edited | Halt | FellBack> {
  const { claim, deps, control } = work;
  const { policy } = claim.project;
  if (work.spentUsd >= policy.max_update_cost_usd)
    return { kind: 'fail', code: 'budget_exceeded', detail: 'nothing is left for another attempt' };
  work.filesAreOurs = true;
  const sessionId = newSessionId();
  const prompt = await promptOf(work, prepared, parent);
  const at = parent?.settledEntry ?? null;
  const run = await runAgent(
    {
      purpose: 'edit',
      transcript:
        parent === null || at === null
          ? { kind: 'new', sessionId }
          : { kind: 'fork', sessionId, from: parent.sessionId, at },
      timeoutMs: policy.edit_timeout_seconds * 1_000,
      signal: control.stop,
      async intend(tx) {
        await beginStep(work, tx, 'edit', baseOf(prepared.base), parent?.sessionId ?? null);
        await tx.sessions.begin({
          sessionId,
          parentId: parent?.sessionId ?? null,
          origin: 'edit',
          agentVersion: deps.agentVersion,
          model: modelOf(claim, deps),
        });
      },
    },
    prompt,
    work,
  );
  const end = decideRunEnd({
    ...run.facts,
    resumed: parent !== null,
    attempt: claim.update.attempt,
    now: deps.clock.now(),
  });
  observeRun(run, end, 'edit', work);
  if (end.kind === 'take') return finish(work, prepared, { run, parent, sessionId });
  await giveUp(work, end, { run, parent, sessionId });
  return end.kind === 'fall-back' ? { kind: 'fell-back' } : haltOf(end, run);
}

type Attempt = {
  readonly run: AgentRun;
  readonly parent: ProjectSession | null;
  readonly sessionId: ProjectSession['sessionId'];
};

async function promptOf(work: Work, prepared: Prepared, parent: ProjectSession | null): Promise<string> {
  const known: { fresh: Orientation } | { resumed: Drift } =
    parent === null
      ? { fresh: await orientation(work, prepared.tree) }
      : { resumed: await driftSince(work, parent, prepared.tree) };
  return editPrompt(work.claim.update.prompt ?? '', known);
}

/** The tree as the agent left it, and its session when all of it is in our store. */
async function finish(work: Work, prepared: Prepared, attempt: Attempt): Promise<Edited> {
  const { run, parent, sessionId } = attempt;
  const { repository } = work.deps;
  const tree = await repository.readWork(work.claim.project.id);
  const settledEntry = run.answer?.memoryAtRisk === true ? null : (run.answer?.lastEntry ?? null);
  const session = settledEntry === null ? null : sessionId;
  await work.transact(async (tx) => {
    await tx.runs.end(run.id, run.row);
    if (parent !== null) await tx.update.set({ outcome: 'accepted' });
    if (settledEntry !== null)
      await tx.sessions.confirm(sessionId, {
        settledEntry,
        tree,
        contextTokens: run.answer?.contextTokens ?? null,
      });
    else {
      await tx.sessions.end(sessionId, 'lost', 'its transcript is not whole');
      await degrade(tx, 'session_lost', 'edit');
    }
    await tx.steps.end('edit', 'succeeded', {
      outputSession: session,
      checkpoint: { ...baseOf(prepared.base), tree },
    });
  });
  return { kind: 'edited', base: prepared.base, tree, session };
}

/** The run's session goes; the one that it was a fork of is as it was, with a failure more if it is to blame. */
async function giveUp(work: Work, end: RunEnd, { run, parent, sessionId }: Attempt): Promise<void> {
  if (work.control.stop.reason === 'lease-lost') return;
  // The fence is asked first: whoever comes back late touches no file.
  await work.transact(async (tx) => {
    await tx.runs.end(run.id, { ...run.row, outcome: end.outcome });
    await tx.sessions.end(sessionId, 'deleted', `its run ended as ${end.outcome}`);
    await tx.steps.end('edit', end.kind === 'fail' ? 'failed' : 'interrupted', {});
    if (parent === null) return;
    if (end.kind === 'fall-back') await loseParent(tx, parent);
    if (end.blamesSession) await blame(work, tx, parent, end);
    if (end.kind === 'fail') await tx.update.set({ outcome: 'failed' });
  });
  await work.deps.repository.resetWork(work.claim.project.id, work.head.commit);
}

async function loseParent(tx: UpdateTransaction, parent: ProjectSession): Promise<void> {
  await tx.sessions.end(parent.sessionId, 'lost', 'nothing was found to resume');
  await fallBack(tx, 'transcript_missing', parent);
}

async function blame(
  work: Work,
  tx: UpdateTransaction,
  { sessionId }: ProjectSession,
  end: RunEnd,
): Promise<void> {
  const failures = await tx.sessions.failed(sessionId);
  await tx.audit.add({ event: 'resume_failed', sessionId, reason: end.outcome });
  if (failures >= work.claim.project.policy.max_failures)
    await tx.sessions.end(sessionId, 'quarantined', `${failures} resumes of it failed`);
}
