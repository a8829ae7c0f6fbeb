import type { Drift, Orientation } from '../prompts.ts';
import type { ProjectSession, TreeId } from '../terms.ts';
import type { Work } from '../work.ts';

const MOST_PATHS = 500;
const MOST_VERSIONS = 5;
const MOST_CHANGED_PATHS = 50;

/** What a session that knows nothing is told about the project. */
export async function orientation({ claim, deps }: Work, tree: TreeId | null): Promise<Orientation> {
  const { id } = claim.project;
  const versions = await deps.store.records.versions(id, null, MOST_VERSIONS);
  return {
    paths: tree === null ? [] : await deps.repository.list(id, tree, MOST_PATHS),
    fileCount: tree === null ? 0 : await deps.repository.fileCount(id, tree),
    versions: versions.map(({ no, kind, metadata, prompt }) => ({
      no,
      title: metadata.title ?? firstLine(prompt) ?? kind,
    })),
  };
}

/** What changed since the session saw the project. */
export async function driftSince(
  { claim, head, deps }: Work,
  session: ProjectSession,
  tree: TreeId | null,
): Promise<Drift> {
  const { id } = claim.project;
  const version = head.version === null ? null : await deps.store.records.version(id, head.version);
  const isSame = session.tree === null || tree === null || session.tree === tree;
  const { files, paths } = isSame
    ? { files: 0, paths: [] }
    : await deps.repository.changes(id, session.tree, tree, MOST_CHANGED_PATHS);
  return { version: head.version, paths, fileCount: files, restored: version?.restoredNo ?? null };
}

const MOST_TITLE = 72;

/** As a title: null when there is nothing to see in it. */
export function firstLine(prompt: string | null): string | null {
  const line = (prompt ?? '').trim().split('\n', 1)[0]?.trim() ?? '';
  if (line === '') return null;
  return line.length <= MOST_TITLE ? line : `${line.slice(0, MOST_TITLE - 1)}…`;
}
