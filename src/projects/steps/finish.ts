import { LeaseLost, toError } from '../../base/errors.ts';
import { decideOptional, type OptionalStep } from '../decide-continue.ts';
import { RepositoryFailed } from '../repository.ts';
import type { Update, Version, VersionMetadata } from '../terms.ts';
import { beginStep, degrade, type Work } from '../work.ts';
import { compact, findFull } from './compact.ts';
import { document, FAILED, type Optional, recommend } from './describe.ts';
import { publishHead } from './prepare.ts';

/**
 * What comes once a version is there: git follows, then the optional steps, then the end. Whatever goes wrong here, the
 * version stands. False: it is left for the next claim.
 */
export async function finish(work: Work): Promise<boolean> {
  const { claim, deps, control } = work;
  const { id } = claim.project;
  const followed = await follow(work);
  const no = work.head.version;
  const version = no === null ? null : await deps.store.records.version(id, no);
  if (version === null) throw new Error('a committed update has a version');
  const done = followed
    ? await runOptional(work, version).catch((thrown) => toNothing(thrown, work))
    : new Map();
  if (control.stop.reason === 'drain' || control.stop.reason === 'lease-lost') return false;
  await complete(work, version, done);
  return true;
}

/** False: git cannot follow. The version stands, and the project is frozen until somebody has looked. */
async function follow(work: Work): Promise<boolean> {
  try {
    await publishHead(work);
    await work.deps.repository.resetWork(work.claim.project.id, work.head.commit);
    return true;
  } catch (error) {
    if (!(error instanceof RepositoryFailed)) throw error;
    work.deps.telemetry.log.error(
      { update: work.claim.update.id, error: error.message },
      'git does not follow',
    );
    await work.transact((tx) => tx.project.freeze());
    return false;
  }
}

/** The owner of what goes wrong in optional steps: they are left undone. */
function toNothing(thrown: unknown, { deps, claim }: Work): Done {
  const error = toError(thrown);
  if (error instanceof LeaseLost) throw error;
  deps.telemetry.log.error(
    { update: claim.update.id, error: error.message, stack: error.stack },
    'an optional step of an update failed',
  );
  return new Map([['recommend', 'failed']]);
}

type Done = ReadonlyMap<OptionalStep, Optional | 'done'>;

async function runOptional(work: Work, version: Version): Promise<Done> {
  const done = new Map<OptionalStep, Optional | 'done'>();
  const wanted = wantedBy(work.claim.update, work);
  const runs = await work.deps.store.queue.runs(work.claim.update.id);
  for (const step of wanted) {
    const tried = runs.filter(({ purpose }) => purpose === step).length;
    const decided = decideOptional(step, { steps: work.claim.steps, runs: tried });
    if (decided === 'done') done.set(step, metadataSays(version, step) ? 'done' : 'failed');
    else if (work.control.giveWay.aborted) done.set(step, 'preempted');
    else if (decided === 'give-up') done.set(step, await giveUp(work, step));
    else done.set(step, await runStep(work, version, step));
  }
  return done;
}

function wantedBy({ kind, options }: Update, { claim }: Work): readonly OptionalStep[] {
  const { policy } = claim.project;
  if (kind === 'restore' || kind === 'import') return [];
  const recommends = options.recommendations ?? policy.recommendations;
  const documents = options.documentation ?? policy.documentation;
  return [
    ...(recommends ? (['recommend'] as const) : []),
    ...(documents ? (['document'] as const) : []),
    'compact',
  ];
}

function metadataSays({ metadata }: Version, step: OptionalStep): boolean {
  if (step === 'recommend') return metadata.title !== null;
  return step !== 'document' || metadata.documentation !== null;
}

async function runStep(work: Work, version: Version, step: OptionalStep): Promise<Optional | 'done'> {
  if (step === 'recommend') return recommend(work, version);
  if (step === 'document') return document(work, version);
  const full = await findFull(work);
  return full === null ? 'done' : compact(work, full, work.control.giveWay);
}

/** Its server ended in the middle of it: once is enough. */
async function giveUp(work: Work, step: OptionalStep): Promise<Optional> {
  await work.transact(async (tx) => {
    await beginStep(work, tx, step, {});
    await tx.steps.end(step, 'skipped', {});
    await degrade(tx, FAILED[step], step);
  });
  return 'failed';
}

async function complete(work: Work, version: Version, done: Done): Promise<void> {
  const gaveWay = [...done.values()].includes('preempted');
  await work.transact(async (tx) => {
    if (gaveWay) await degrade(tx, 'preempted', 'finalize');
    await tx.versions.describe(version.no, { state: stateOf(done) });
    await beginStep(work, tx, 'finalize', {});
    await tx.steps.end('finalize', 'succeeded', {});
    await tx.update.end({ status: 'completed', error: null, payload: { version: version.no } });
  });
}

/** Of what was wanted of it: all, a part, or nothing is there. */
export function stateOf(done: Done): VersionMetadata['state'] {
  const told = (['recommend', 'document'] as const).flatMap((step) => done.get(step) ?? []);
  const ready = told.filter((one) => one === 'succeeded' || one === 'done').length;
  if (told.length === 0) return 'skipped';
  if (ready === told.length) return 'ready';
  if (ready > 0) return 'partial';
  return told.every((one) => one === 'preempted') ? 'skipped' : 'failed';
}

/** An update that made no version: nothing is described, and it is done. */
export async function completeWithout(work: Work): Promise<void> {
  await work.transact(async (tx) => {
    await beginStep(work, tx, 'finalize', {});
    await tx.steps.end('finalize', 'succeeded', {});
    await tx.update.end({ status: 'completed', error: null, payload: { version: null } });
  });
}
