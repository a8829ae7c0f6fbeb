import type { SessionId } from '../base/terms.ts';
import { reasonOf } from './control.ts';
import type { UpdateTransaction } from './project-store.ts';
import { RepositoryFailed } from './repository.ts';
import type { Update, UpdateErrorCode } from './terms.ts';
import { PROGRESS } from './terms.ts';
import type { Halt, Work } from './work.ts';

/** Codes after which nothing of the project may run until somebody, or space on the disk, has mended it. */
const FREEZING: ReadonlySet<UpdateErrorCode> = new Set(['disk_full', 'repository_broken']);

/** What the update leaves behind when it goes no further: the head and its files are as they were before it. */
export async function settleHalt(halt: Halt, work: Work): Promise<boolean> {
  const stopped = halt.kind === 'fail' ? null : reasonOf(work.control.stop);
  if (stopped === 'lease-lost') return false;
  // First said, then done: half of what is put back is never taken for an agent's work.
  await work.transact((tx) => tx.steps.interrupt());
  const broken = await putBack(work);
  // Whoever cancelled it does not wait for another attempt.
  const end: Halt = broken ?? (stopped === 'cancelled' ? { kind: 'stop' } : halt);
  // Work that is done stays good for the next attempt; a run that was cut off is not.
  const dropped = end.kind === 'again' || stopped === 'drain' ? [] : await sessionsToDrop(work);
  await work.transact(async (tx) => {
    for (const session of dropped) await tx.sessions.end(session, 'deleted', 'its update came to nothing');
    if (end.kind === 'again') return waitAgain(tx, work, end);
    if (end.kind === 'fail') return fail(tx, end, broken === null);
    if (stopped === 'drain') return waitForNextStart(tx, work);
    await tx.update.end({ status: 'cancelled', error: null, payload: {} });
  });
  return true;
}

/** What was changed from outside, and nobody has looked at yet, stays as it is. */
async function putBack(work: Work): Promise<Extract<Halt, { kind: 'fail' }> | null> {
  const { deps, claim, head } = work;
  if (!work.filesAreOurs) return null;
  try {
    await deps.repository.resetWork(claim.project.id, head.commit);
    return null;
  } catch (error) {
    if (!(error instanceof RepositoryFailed)) throw error;
    const code = error.kind === 'disk_full' ? 'disk_full' : 'repository_broken';
    return { kind: 'fail', code, detail: error.message };
  }
}

/** Sessions that this update began and that no head will ever point at. */
async function sessionsToDrop({ deps, claim, head }: Work): Promise<readonly SessionId[]> {
  const runs = await deps.store.queue.runs(claim.update.id);
  const dropped: SessionId[] = [];
  for (const id of new Set(runs.map(({ sessionId }) => sessionId))) {
    const session = await deps.store.records.session(claim.project.id, id);
    const isOpen = session?.state === 'active' || session?.state === 'provisional';
    if (isOpen && id !== head.session) dropped.push(id);
  }
  return dropped;
}

async function waitAgain(
  tx: UpdateTransaction,
  work: Work,
  { notBefore, reason, givesBackAttempt }: Extract<Halt, { kind: 'again' }>,
): Promise<void> {
  await tx.update.set({ step: 'prepare' });
  const waitSeconds = Math.ceil(Math.max(0, notBefore - work.deps.clock.now()) / 1_000);
  const type = reason === 'provider-limit' ? 'update.waiting' : 'update.retrying';
  await tx.events.add(type, PROGRESS.prepare, { reason, seconds: waitSeconds });
  await tx.update.requeue({ notBefore, reason, givesBackAttempt });
}

async function waitForNextStart(tx: UpdateTransaction, { deps }: Work): Promise<void> {
  await tx.update.set({ step: 'prepare' });
  await tx.events.add('update.waiting', PROGRESS.prepare, { reason: 'back-off', seconds: 0 });
  await tx.update.requeue({ notBefore: deps.clock.now(), reason: 'back-off', givesBackAttempt: true });
}

async function fail(
  tx: UpdateTransaction,
  { code, detail }: Extract<Halt, { kind: 'fail' }>,
  isPutBack: boolean,
): Promise<void> {
  if (FREEZING.has(code)) {
    await tx.project.freeze();
    await tx.update.set({ step: isPutBack ? 'prepare' : 'edit' });
  }
  await tx.update.end({ status: 'failed', error: { code, detail }, payload: { code } });
}

/** Whether the update could not put its files back: then half an edit may stand in the working directory. */
export function leftFiles({ status, step, error }: Pick<Update, 'status' | 'step' | 'error'>): boolean {
  return status === 'failed' && error !== null && FREEZING.has(error.code) && step !== 'prepare';
}
