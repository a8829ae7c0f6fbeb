import { leftFiles } from '../settle-halt.ts';
import type { CommitId, TreeId } from '../terms.ts';
import { baseOf, beginStep, type Halt, type Work } from '../work.ts';

/** Updates that were cancelled before they began may stand between one that ran and this one. */
const MOST_EARLIER = 100;

/** What the update begins on. */
export type Prepared = {
  readonly kind: 'prepared';
  /** Null: the project has no files yet. */
  readonly base: CommitId | null;
  readonly tree: TreeId | null;
};

/** Looks whether the update may run at all, and keeps what was changed from outside as a commit of its own. */
export async function prepare(work: Work): Promise<Prepared | Halt> {
  const refused = await findRefusal(work);
  if (refused !== null) return refused;
  await work.transact(async (tx) => {
    await tx.update.set({ baseVersion: work.head.version });
    await beginStep(work, tx, 'prepare', baseOf(work.head.commit));
  });
  await clearLeft(work);
  const outside = await snapshot(work);
  const commit = outside?.commit ?? work.head.commit;
  work.head = await work.transact(async (tx) => {
    const checkpoint = { ...baseOf(commit), ...(outside === null ? {} : { tree: outside.tree }) };
    await tx.steps.end('prepare', 'succeeded', { checkpoint });
    return outside === null ? work.head : tx.head.move(work.head.revision, { commit: outside.commit });
  });
  await publishHead(work);
  return { kind: 'prepared', base: commit, tree: outside?.tree ?? (await headTree(work)) };
}

async function findRefusal({ claim, head, deps }: Work): Promise<Halt | null> {
  const { update, project } = claim;
  const { expectedVersion, restoreVersion } = update.options;
  const mayWrite = await deps.store.records.mayWrite(project.id, update.userId);
  if (!mayWrite) return fail('access_revoked', 'the user may not change the project any more');
  if (expectedVersion !== null && expectedVersion !== (head.version ?? 0))
    return fail('version_mismatch', `the head is version ${head.version ?? 0}, not ${expectedVersion}`);
  if (restoreVersion === null) return null;
  const version = await deps.store.records.version(project.id, restoreVersion);
  return version === null ? fail('unknown_version', `there is no version ${restoreVersion}`) : null;
}

function fail(code: Extract<Halt, { kind: 'fail' }>['code'], detail: string): Halt {
  return { kind: 'fail', code, detail };
}

/** Half an edit that the update before could not put back, on a full disk, is nobody's change from outside. */
async function clearLeft(work: Work): Promise<void> {
  const { claim, deps } = work;
  const { id } = claim.project;
  const earlier = { status: null, before: claim.update.id, limit: MOST_EARLIER } as const;
  const former = (await deps.store.queue.list(id, earlier)).find(({ startedAt }) => startedAt !== null);
  if (former === undefined || !leftFiles(former)) return;
  work.filesAreOurs = true;
  await deps.repository.resetWork(id, work.head.commit);
  work.filesAreOurs = false;
}

/** Null: nobody has changed anything since the head. */
async function snapshot({ claim, head, deps }: Work) {
  const { project, update } = claim;
  const { repository, clock } = deps;
  const tree = await repository.readWork(project.id);
  const isChanged =
    head.commit === null
      ? (await repository.fileCount(project.id, tree)) > 0
      : (await repository.treeOf(project.id, head.commit)) !== tree;
  // What is imported becomes the first version itself.
  if (!isChanged || update.kind === 'import') return null;
  const commit = await repository.commit(project.id, {
    tree,
    parent: head.commit,
    subject: 'Changes from outside',
    trailers: { 'Change-Source': 'external', 'Before-Update': String(update.id) },
    at: clock.now(),
  });
  return { commit, tree };
}

/** The branch is where the database says that it is, also after a crash between the two. */
export async function publishHead({ claim, head, deps }: Work): Promise<void> {
  const { id } = claim.project;
  const from = await deps.repository.branch(id);
  if (head.commit === null || from === head.commit) return;
  const version = head.version === null ? null : await deps.store.records.version(id, head.version);
  const isVersion = version?.commit === head.commit;
  await deps.repository.publish(id, { from, to: head.commit, version: isVersion ? head.version : null });
}

async function headTree({ claim, head, deps }: Work): Promise<TreeId | null> {
  return head.commit === null ? null : await deps.repository.treeOf(claim.project.id, head.commit);
}
