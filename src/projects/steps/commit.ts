import type { Instant, SessionId } from '../../base/terms.ts';
import type { EditDone } from '../decide-continue.ts';
import type { CommitId, TreeId, Version, VersionNo } from '../terms.ts';
import { baseOf, beginStep, degrade, type Halt, type Work } from '../work.ts';
import { firstLine } from './look-around.ts';

export type Committed = { readonly kind: 'committed'; readonly version: VersionNo };
export type Unchanged = { readonly kind: 'unchanged' };

/** What becomes a version: an edit, or files that were brought back or in. */
export type Result = EditDone & {
  readonly restored: Version | null;
  /** An empty result of these is a version, too. */
  readonly isAlwaysVersion: boolean;
};

/**
 * A commit that nothing points at, then one transaction that makes it the head's, then the branch. A crash anywhere
 * between makes the same commit again, or finds it to be the head.
 */
export async function commit(work: Work, result: Result): Promise<Committed | Unchanged | Halt> {
  const { deps, control, claim } = work;
  const { id } = claim.project;
  if (control.stop.aborted) return { kind: 'stop' };
  const baseTree = result.base === null ? null : await deps.repository.treeOf(id, result.base);
  const isEmpty = baseTree === null && (await deps.repository.fileCount(id, result.tree)) === 0;
  if ((baseTree === result.tree || isEmpty) && !result.isAlwaysVersion) return keepSession(work, result);

  const at = earlierAt(work, result) ?? deps.clock.now();
  const checkpoint = { ...baseOf(result.base), tree: result.tree, at };
  await work.transact((tx) => beginStep(work, tx, 'commit', checkpoint, result.session));
  const planned = (work.head.version ?? 0) + 1;
  const made = await makeCommit(work, result, { at, planned });
  // The last moment at which a cancel counts.
  if (control.stop.aborted) return { kind: 'stop' };
  const changes = await deps.repository.changes(id, result.base, made, 0);
  const { no, head } = await work.transact(async (tx) => {
    const parentNo = work.head.version;
    const no = await tx.versions.add({
      parentNo,
      restoredNo: result.restored?.no ?? null,
      commit: made,
      tree: result.tree,
      editSession: result.restored === null ? result.session : null,
      finalSession: result.session,
      changes: { files: changes.files, added: changes.added, removed: changes.removed },
    });
    const to = { version: no, commit: made, session: result.session };
    const head = await tx.head.move(work.head.revision, to);
    await tx.steps.end('commit', 'succeeded', { outputSession: result.session, checkpoint });
    return { no, head };
  });
  work.head = head;
  control.committed();
  return { kind: 'committed', version: no };
}

/** Nothing to commit: what the agent knows is worth keeping all the same. */
async function keepSession(work: Work, { session }: Result): Promise<Unchanged> {
  work.head = await work.transact(async (tx) => {
    await degrade(tx, 'no_changes', 'commit');
    return session === null || session === work.head.session
      ? work.head
      : tx.head.move(work.head.revision, { session });
  });
  return { kind: 'unchanged' };
}

/** Of a commit that was begun with these very facts before a crash. */
function earlierAt({ claim }: Work, { base, tree }: Result): Instant | null {
  const begun = claim.steps.findLast(
    ({ kind, checkpoint }) =>
      kind === 'commit' && checkpoint.tree === tree && (checkpoint.base ?? null) === base,
  );
  return begun?.checkpoint.at ?? null;
}

function makeCommit(
  { claim, deps }: Work,
  { base, tree, restored }: { base: CommitId | null; tree: TreeId; restored: Version | null },
  { at, planned }: { readonly at: Instant; readonly planned: VersionNo },
): Promise<CommitId> {
  const { update, project } = claim;
  const trailers = {
    'Update-Id': String(update.id),
    Version: String(planned),
    Kind: update.kind,
    ...(restored === null ? {} : { Restores: String(restored.no) }),
  };
  const subject =
    restored === null ? (firstLine(update.prompt) ?? 'Import') : `Restore version ${restored.no}`;
  return deps.repository.commit(project.id, { tree, parent: base, subject, trailers, at });
}

export function sessionOf(version: Version): SessionId | null {
  return version.finalSession ?? version.editSession;
}
