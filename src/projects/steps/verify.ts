import { decideRunEnd } from '../decide-run-end.ts';
import { fixPrompt } from '../prompts.ts';
import { runAgent } from '../run-agent.ts';
import type { ProjectSession } from '../terms.ts';
import { PROGRESS } from '../terms.ts';
import type { CommandResult, Verified } from '../verifier.ts';
import { baseOf, beginStep, degrade, type Halt, type Work } from '../work.ts';
import type { Edited } from './edit.ts';
import { haltOf, observeRun } from './run-halt.ts';

const MOST_DETAIL = 4_000;

/** Runs the project's commands on what the agent left, and has it mend what they find, as often as the policy says. */
export async function verify(work: Work, edited: Edited): Promise<Edited | Halt> {
  const { project, update } = work.claim;
  if (project.policy.verify.length === 0) return edited;
  let current = edited;
  for (let fixes = update.fixTurns; ; fixes += 1) {
    const found = await verifyOnce(work, current);
    if (found.kind === 'aborted') return { kind: 'stop' };
    if (found.kind !== 'failed') return current;
    const name = found.results.at(-1)?.name ?? '';
    const session = current.session && (await work.deps.store.records.session(project.id, current.session));
    if (fixes >= project.policy.fix_turns || session === null)
      return { kind: 'fail', code: 'verify_failed', detail: `${name}: ${found.tail.slice(-MOST_DETAIL)}` };
    const fixed = await fix(work, current, session, { prompt: fixPrompt(name, found.tail), turn: fixes + 1 });
    if (fixed.kind !== 'edited') return fixed;
    current = fixed;
  }
}

async function verifyOnce(work: Work, { tree, session, base }: Edited): Promise<Verified> {
  const { claim, deps, control } = work;
  const { id, policy } = claim.project;
  await work.transact((tx) => beginStep(work, tx, 'verify', { ...baseOf(base), tree }, session));
  await deps.repository.resetWork(id, tree);
  const found = await deps.verifier.verify(id, policy.verify, {
    allowUnsandboxed: policy.verify_unsandboxed,
    signal: control.stop,
  });
  if (found.kind === 'aborted') return found;
  if (found.kind === 'unavailable')
    deps.telemetry.log.warn({ project: id, reason: found.reason }, 'an update is not verified');
  await work.transact(async (tx) => {
    if (found.kind === 'unavailable') {
      await tx.steps.end('verify', 'skipped', {});
      return degrade(tx, 'verify_skipped', 'verify');
    }
    await tx.steps.end('verify', found.kind === 'passed' ? 'succeeded' : 'failed', {});
    const commands = found.results.map(toPayload);
    await tx.events.add('verify.finished', PROGRESS.verify, { ok: found.kind === 'passed', commands });
  });
  // What a command left behind is nobody's work.
  await deps.repository.resetWork(id, tree);
  return found;
}

function toPayload({ name, exit, ms }: CommandResult) {
  return { name, ok: exit === 0, timed_out: exit === null, seconds: Math.round(ms / 100) / 10 };
}

/** A run of its own that goes on in the edit's session: the same after a crash as before it. */
async function fix(
  work: Work,
  edited: Edited,
  session: ProjectSession,
  { prompt, turn }: { readonly prompt: string; readonly turn: number },
): Promise<Edited | Halt> {
  const { claim, deps, control } = work;
  const { sessionId, settledEntry } = session;
  if (settledEntry === null) throw new Error('an edit session is confirmed before it mends anything');
  const run = await runAgent(
    {
      purpose: 'edit',
      transcript: { kind: 'resume', sessionId, at: settledEntry },
      timeoutMs: claim.project.policy.edit_timeout_seconds * 1_000,
      signal: control.stop,
      intend: (tx) => tx.update.set({ fixTurns: turn }),
    },
    prompt,
    work,
  );
  const facts = { ...run.facts, resumed: true, attempt: claim.update.attempt, now: deps.clock.now() };
  const end = decideRunEnd(facts);
  observeRun(run, end, 'edit', work);
  const lastEntry = run.answer?.memoryAtRisk === true ? null : (run.answer?.lastEntry ?? null);
  if (end.kind !== 'take') {
    if (control.stop.reason !== 'lease-lost')
      await work.transact((tx) => tx.runs.end(run.id, { ...run.row, outcome: end.outcome }));
    return haltOf(end, run);
  }
  const tree = await deps.repository.readWork(claim.project.id);
  await work.transact(async (tx) => {
    await tx.runs.end(run.id, run.row);
    if (lastEntry === null) return;
    const contextTokens = run.answer?.contextTokens ?? null;
    await tx.sessions.confirm(sessionId, { settledEntry: lastEntry, tree, contextTokens });
  });
  return { ...edited, tree };
}
