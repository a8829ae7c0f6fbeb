import type { SessionId } from '../../base/terms.ts';
import { readTail, type Tail } from '../../session/session.ts';
import { type Continuation, decideContinue } from '../decide-continue.ts';
import type { UpdateTransaction } from '../project-store.ts';
import { emptyRow, promptIdOf } from '../run-agent.ts';
import type { Run } from '../terms.ts';
import { baseOf, beginStep, type Work } from '../work.ts';
import type { Edited } from './edit.ts';

type Answered = Extract<Tail, { kind: 'answered' }>;

/**
 * Where a claimed update goes on, once what its last server left is cleared away: no process of it is alive (they end
 * with their server, or their appends are refused), so its runs end and half an edit goes.
 */
export async function recover(work: Work): Promise<Exclude<Continuation, { at: 'take-edit' }> | Edited> {
  const { claim, deps } = work;
  const open = claim.openRuns.findLast(({ purpose }) => purpose === 'edit') ?? null;
  const tail = open === null ? null : await findAnswer(open, work);
  const next = decideContinue({
    kind: claim.update.kind,
    attempt: claim.update.attempt,
    step: claim.update.step,
    steps: claim.steps,
    openEdit: open === null ? 'none' : tail === null ? 'unfinished' : 'answered',
  });
  if (next.at === 'take-edit' && open !== null && tail !== null) return takeEdit(work, open, tail);
  if ('reset' in next && next.reset !== null)
    await deps.repository.resetWork(claim.project.id, next.reset.commit);
  work.filesAreOurs = next.at === 'verify' || next.at === 'commit';
  await endLeftovers(work);
  if (next.at === 'take-edit') throw new Error('an edit is taken where a run of it is open');
  return next;
}

/** The finished answer to the run's own prompt; null when it has none. */
async function findAnswer(run: Run, { deps }: Work): Promise<Answered | null> {
  const entries = await deps.transcripts.after(run.sessionId, null);
  const tail = entries === null ? null : readTail(entries);
  if (tail?.kind !== 'answered') return null;
  return tail.promptId === promptIdOf(run.sessionId, run.id) ? tail : null;
}

/**
 * The runs that the last server left end, and the sessions that only they would have confirmed with them; one that has
 * been confirmed stays.
 */
async function endLeft(work: Work, runs: readonly Run[]): Promise<(tx: UpdateTransaction) => Promise<void>> {
  const { claim, deps } = work;
  const provisional: SessionId[] = [];
  for (const { sessionId } of runs) {
    const session = await deps.store.records.session(claim.project.id, sessionId);
    if (session?.state === 'provisional') provisional.push(sessionId);
  }
  return async (tx) => {
    await tx.steps.interrupt();
    for (const run of runs) await tx.runs.end(run.id, emptyRow('its server ended'));
    for (const session of provisional) await tx.sessions.end(session, 'deleted', 'its server ended');
  };
}

/** Nothing that ran under an earlier server still counts as running. */
export async function endLeftovers(work: Work): Promise<void> {
  const { openRuns, steps } = work.claim;
  if (openRuns.length === 0 && !steps.some(({ state }) => state === 'running')) return;
  await work.transact(await endLeft(work, openRuns));
}

/** The agent had finished and nobody wrote it down: what it left is its work. */
async function takeEdit(work: Work, run: Run, tail: Answered): Promise<Edited> {
  const { claim, deps } = work;
  const tree = await deps.repository.readWork(claim.project.id);
  const base = work.head.commit;
  const { input, output, cacheRead, cacheWrite } = tail.tokens;
  const session = run.sessionId;
  const parent = await deps.store.records.session(claim.project.id, session);
  const others = claim.openRuns.filter(({ id }) => id !== run.id);
  const endOthers = await endLeft(work, others);
  await work.transact(async (tx) => {
    await endOthers(tx);
    await tx.runs.end(run.id, {
      ...emptyRow('its answer was found in its transcript'),
      reportedSessionId: session,
      outcome: 'ok',
      usage: {
        costUsd: 0,
        inputTokens: input,
        outputTokens: output,
        cacheReadTokens: cacheRead,
        cacheWriteTokens: cacheWrite,
        runsWithoutCost: 1,
      },
    });
    await beginStep(work, tx, 'edit', baseOf(base), parent?.parentId ?? null);
    await tx.sessions.confirm(session, { settledEntry: tail.lastEntry, tree, contextTokens: null });
    if (run.mode === 'fork') await tx.update.set({ outcome: 'accepted' });
    await tx.steps.end('edit', 'succeeded', {
      outputSession: session,
      checkpoint: { ...baseOf(base), tree },
    });
  });
  return { kind: 'edited', base, tree, session };
}
