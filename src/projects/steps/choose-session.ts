import { decideResume, type ResumeDecision } from '../decide-resume.ts';
import { gatherResume } from '../gather-resume.ts';
import type { UpdateTransaction } from '../project-store.ts';
import type { ProjectSession } from '../terms.ts';
import { PROGRESS } from '../terms.ts';
import { degrade, type Halt, type Work } from '../work.ts';
import type { Prepared } from './prepare.ts';

export type Chosen = {
  readonly kind: 'chosen';
  /** The session that the edit is a fork of; null: it starts fresh. */
  readonly parent: ProjectSession | null;
};

/** Whether this attempt resumes the head's session. An update decides once; a later attempt may only fall back. */
export async function chooseSession(work: Work, prepared: Prepared): Promise<Chosen | Halt> {
  const { claim, deps } = work;
  const { update } = claim;
  const earlier = update.resume;
  if (earlier.decision === 'fresh' || earlier.outcome === 'fell-back')
    return { kind: 'chosen', parent: null };
  const asked = { id: update.id, userId: update.userId, requested: update.options.resume };
  const project = { ...claim.project, head: work.head };
  const { facts, session } = await gatherResume(project, asked, prepared.tree, deps);
  const decided = decideResume(facts);
  await work.transact(async (tx) => {
    if (decided.ends !== null && session !== null) await endSession(tx, session, decided);
    if (earlier.decision === null) await tell(tx, decided, session);
    else if (decided.decision !== 'resume') await fallBack(tx, decided.reason, session);
  });
  if (earlier.decision === null) deps.telemetry.metrics.resumeDecisions.inc({ reason: decided.reason });
  if (decided.decision === 'refuse')
    return { kind: 'fail', code: 'session_unavailable', detail: decided.reason };
  return { kind: 'chosen', parent: decided.decision === 'resume' ? session : null };
}

async function endSession(
  tx: UpdateTransaction,
  { sessionId }: ProjectSession,
  { ends, reason }: ResumeDecision,
): Promise<void> {
  if (reason === 'binding_violation') return tx.audit.add({ event: 'binding_violation', sessionId, reason });
  if (ends !== null) await tx.sessions.end(sessionId, ends, reason);
}

async function tell(
  tx: UpdateTransaction,
  { decision, reason, arm }: ResumeDecision,
  session: ProjectSession | null,
): Promise<void> {
  const stored = decision === 'resume' ? 'resume' : 'fresh';
  await tx.update.set({ decision: { decision: stored, reason, arm } });
  if (stored === 'fresh') await tx.update.set({ outcome: 'not-attempted' });
  await tx.audit.add({ event: 'decision', sessionId: session?.sessionId ?? null, reason });
  await tx.events.add('resume.decided', PROGRESS.edit, { decision: stored, reason });
}

/** The session that the update was to go on in is good for nothing: it goes on without one. */
export async function fallBack(
  tx: UpdateTransaction,
  reason: string,
  session: ProjectSession | null,
): Promise<void> {
  await tx.update.set({ outcome: 'fell-back' });
  await degrade(tx, 'fell_back', 'edit');
  await tx.audit.add({ event: 'fallback', sessionId: session?.sessionId ?? null, reason });
  await tx.events.add('resume.fell_back', PROGRESS.edit, { reason });
}
