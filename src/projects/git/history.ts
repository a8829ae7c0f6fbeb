import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Instant } from '../../base/terms.ts';
import { RepositoryFailed } from '../repository.ts';
import type { CommitId, TreeId, VersionNo } from '../terms.ts';
import type { Place } from './place.ts';
import { type Git, type GitCall, GitFailed } from './run-git.ts';

export type CommitFacts = {
  readonly tree: TreeId;
  readonly parent: CommitId | null;
  readonly subject: string;
  readonly trailers: Readonly<Record<string, string>>;
  readonly at: Instant;
};

const BRANCH = 'refs/heads/main';
const NO_OBJECT = '0'.repeat(40);
const NAME = 'Firekeeper';
const EMAIL = 'firekeeper@localhost';

/** Author, committer and both times are given, so that the same facts have the same name. */
export async function writeCommit(
  git: Git,
  at: { readonly gitDir: string },
  facts: CommitFacts,
): Promise<CommitId> {
  const date = `@${Math.floor(facts.at / 1_000)} +0000`;
  const env = {
    GIT_AUTHOR_NAME: NAME,
    GIT_AUTHOR_EMAIL: EMAIL,
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: NAME,
    GIT_COMMITTER_EMAIL: EMAIL,
    GIT_COMMITTER_DATE: date,
  };
  const parents = facts.parent === null ? [] : ['-p', checkedId(facts.parent)];
  const args = ['commit-tree', checkedId(facts.tree), ...parents];
  const input = Buffer.from(toMessage(facts), 'utf8').toString('latin1');
  return (await git.text({ ...at, args, input, env })) as CommitId;
}

/** One line of each: nobody writes a trailer by writing a line into a subject. */
export function toMessage({ subject, trailers }: Pick<CommitFacts, 'subject' | 'trailers'>): string {
  const lines = Object.entries(trailers).map(([name, value]) => `${toLine(name)}: ${toLine(value)}`);
  return lines.length === 0 ? `${toLine(subject)}\n` : `${toLine(subject)}\n\n${lines.join('\n')}\n`;
}

function toLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}

export async function readBranch(git: Git, { gitDir }: Place): Promise<CommitId | null> {
  const found = await git.text({ gitDir, args: ['for-each-ref', '--format=%(objectname)', BRANCH] });
  return found === '' ? null : (found as CommitId);
}

/** Both references move in one transaction of git's; a branch that stands elsewhere is left alone with its versions. */
export async function publish(
  git: Git,
  place: Place,
  move: { readonly from: CommitId | null; readonly to: CommitId; readonly version: VersionNo | null },
): Promise<void> {
  const { version } = move;
  const to = checkedId(move.to);
  const stands = await readBranch(git, place);
  if (stands !== to && stands !== move.from) return;
  const lines = [
    `update ${BRANCH} ${to} ${stands ?? NO_OBJECT}`,
    ...(version === null ? [] : [`update refs/versions/${checkedVersion(version)} ${to}`]),
  ];
  const moveOnce = () =>
    git.text({ gitDir: place.gitDir, args: ['update-ref', '--stdin'], input: `${lines.join('\n')}\n` });
  try {
    await moveOnce();
  } catch (error) {
    if (!(await isSettled(git, place, error, move))) await moveOnce();
  }
}

/**
 * Whether a move that failed needs no second try. git waits two seconds for a lock, and a move takes milliseconds; so a
 * lock that is still there was left by a process that was killed, and is taken away.
 */
async function isSettled(
  git: Git,
  place: Place,
  error: unknown,
  move: { readonly from: CommitId | null; readonly to: CommitId; readonly version: VersionNo | null },
): Promise<boolean> {
  if (!(error instanceof GitFailed)) throw error;
  if (/\.lock': File exists/.test(error.stderr)) {
    const versions = move.version === null ? [] : [`refs/versions/${move.version}.lock`];
    for (const lock of ['HEAD.lock', `${BRANCH}.lock`, ...versions])
      await rm(join(place.gitDir, lock), { force: true });
    return false;
  }
  const stands = await readBranch(git, place);
  if (stands === move.from) throw error;
  return true;
}

/** The empty tree as an object: every repository that follows our words has it. */
export async function emptyTree(git: Git, at: Pick<GitCall, 'gitDir'>): Promise<string> {
  return await git.text({ ...at, args: ['hash-object', '-w', '-t', 'tree', '--stdin'] });
}

const OBJECT_ID = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** An object's name and nothing else: no name of a reference, no option. */
export function checkedId<Id extends CommitId | TreeId>(id: Id): Id {
  if (!OBJECT_ID.test(id)) throw new RepositoryFailed('broken', 'not the name of an object');
  return id;
}

function checkedVersion(version: VersionNo): VersionNo {
  if (!Number.isSafeInteger(version) || version < 1) throw new Error('versions are counted from 1');
  return version;
}
