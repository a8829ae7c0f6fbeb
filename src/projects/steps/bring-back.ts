import type { SessionId } from '../../base/terms.ts';
import type { Version } from '../terms.ts';
import type { Halt, Work } from '../work.ts';
import { type Committed, commit, sessionOf, type Unchanged } from './commit.ts';
import { prepare } from './prepare.ts';

/** The files of an old version as a new one, and the session that knew them. No agent runs. */
export async function restore(work: Work): Promise<Committed | Unchanged | Halt> {
  const prepared = await prepare(work);
  if (prepared.kind !== 'prepared') return prepared;
  const { project, update } = work.claim;
  const no = update.options.restoreVersion;
  const version = no === null ? null : await work.deps.store.records.version(project.id, no);
  if (version === null) return { kind: 'fail', code: 'unknown_version', detail: 'it names no version' };
  const session = await goodSession(work, version);
  const files = { base: prepared.base, tree: version.tree, session };
  return commit(work, { ...files, restored: version, isAlwaysVersion: true });
}

/** Null where it cannot be gone on from: the next update starts fresh. */
async function goodSession({ claim, deps }: Work, version: Version): Promise<SessionId | null> {
  const id = sessionOf(version);
  const session = id && (await deps.store.records.session(claim.project.id, id));
  const isGood = session?.state === 'superseded' || session?.state === 'active';
  return isGood ? session.sessionId : null;
}

/** What stands in the working directory becomes the first version. */
export async function bringIn(work: Work): Promise<Committed | Unchanged | Halt> {
  const prepared = await prepare(work);
  if (prepared.kind !== 'prepared') return prepared;
  const tree = await work.deps.repository.readWork(work.claim.project.id);
  const files = { base: prepared.base, tree, session: null };
  return commit(work, { ...files, restored: null, isAlwaysVersion: work.head.version === null });
}
