import { LeaseLost } from '../base/errors.ts';
import { reasonOf } from './control.ts';
import { MOST_ATTEMPTS } from './decide-run-end.ts';
import { RepositoryFailed } from './repository.ts';
import { settleHalt } from './settle-halt.ts';
import { bringIn, restore } from './steps/bring-back.ts';
import { chooseSession } from './steps/choose-session.ts';
import { type Committed, commit, type Unchanged } from './steps/commit.ts';
import { compact, headSession } from './steps/compact.ts';
import { type Edited, edit } from './steps/edit.ts';
import { completeWithout, finish } from './steps/finish.ts';
import { prepare } from './steps/prepare.ts';
import { endLeftovers, recover } from './steps/recover.ts';
import { verify } from './steps/verify.ts';
import { PROGRESS } from './terms.ts';
import { beginStep, degrade, type Halt, type Work } from './work.ts';

/**
 * One claimed update, as far as it goes. True: it has ended or waits again, and its lease can be given up. False: it is
 * left as it is, for whoever claims it next.
 */
export async function runUpdate(work: Work): Promise<boolean> {
  try {
    if (work.claim.update.status === 'committed') return await finishLeft(work);
    const reached = await advance(work).catch((thrown: unknown) => toHalt(thrown, work));
    if (reached.kind === 'committed') return await finish(work);
    if (reached.kind !== 'unchanged') return await settleHalt(reached, work);
    await completeWithout(work);
    return true;
  } catch (error) {
    if (!(error instanceof LeaseLost)) throw error;
    work.deps.telemetry.metrics.fencedOut.inc();
    return false;
  }
}

/** A server before this one has committed it. */
async function finishLeft(work: Work): Promise<boolean> {
  await endLeftovers(work);
  return finish(work);
}

async function advance(work: Work): Promise<Committed | Unchanged | Halt> {
  const { update } = work.claim;
  if (update.cancelRequestedAt !== null) work.control.cancel();
  await work.transact((tx) => tx.events.add('update.started', PROGRESS.prepare, { attempt: update.attempt }));
  const from = await recover(work);
  if (reasonOf(work.control.stop) !== null) return { kind: 'stop' };
  if ('at' in from && from.at === 'give-up')
    return {
      kind: 'fail',
      code: 'worker_crash_loop',
      detail: `every one of ${MOST_ATTEMPTS} attempts ended its server`,
    };
  switch (update.kind) {
    case 'compact':
      return compactHead(work);
    case 'restore':
      return restore(work);
    case 'import':
      return bringIn(work);
    default:
      return change(work, from);
  }
}

async function change(
  work: Work,
  from: Awaited<ReturnType<typeof recover>>,
): Promise<Committed | Unchanged | Halt> {
  const edited = await editFrom(work, from);
  if (edited.kind !== 'edited') return edited;
  const isVerified = 'at' in from && from.at === 'commit';
  const verified = isVerified ? edited : await verify(work, edited);
  if (verified.kind !== 'edited') return verified;
  return commit(work, { ...verified, restored: null, isAlwaysVersion: false });
}

async function editFrom(work: Work, from: Awaited<ReturnType<typeof recover>>): Promise<Edited | Halt> {
  if (!('at' in from)) return from;
  if (from.at === 'verify' || from.at === 'commit')
    return { kind: 'edited', ...(await latest(work, from.edit)) };
  const prepared = await prepare(work);
  if (prepared.kind !== 'prepared') return prepared;
  const chosen = await chooseSession(work, prepared);
  if (chosen.kind !== 'chosen') return chosen;
  return edit(work, prepared, chosen.parent);
}

/** A session that has mended something since its edit knows the newer tree. */
async function latest({ claim, deps }: Work, edit: Omit<Edited, 'kind'>): Promise<Omit<Edited, 'kind'>> {
  const session = edit.session && (await deps.store.records.session(claim.project.id, edit.session));
  return session === null ? edit : { ...edit, tree: session.tree ?? edit.tree };
}

/** Shortens the head's session and changes no file. */
async function compactHead(work: Work): Promise<Unchanged | Halt> {
  const session = await headSession(work);
  if (reasonOf(work.control.stop) !== null) return { kind: 'stop' };
  if (session === null)
    await work.transact(async (tx) => {
      await beginStep(work, tx, 'compact', {});
      await tx.steps.end('compact', 'skipped', {});
      await degrade(tx, 'compaction_failed', 'compact');
    });
  else await compact(work, session, work.control.stop);
  return reasonOf(work.control.stop) === null ? { kind: 'unchanged' } : { kind: 'stop' };
}

/** Anything else that is thrown leaves the update as it is, for the next claim: perhaps nothing can be written now. */
function toHalt(error: unknown, { claim, deps }: Work): Halt {
  if (!(error instanceof RepositoryFailed)) throw error;
  deps.telemetry.log.error({ update: claim.update.id, error: error.message }, 'git failed an update');
  const code = error.kind === 'disk_full' ? 'disk_full' : 'repository_broken';
  return { kind: 'fail', code, detail: error.message };
}
