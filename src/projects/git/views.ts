import { StringDecoder } from 'node:string_decoder';
import type { Changes } from '../repository.ts';
import type { CommitId, TreeId } from '../terms.ts';
import { checkedId, emptyTree } from './history.ts';
import type { Place } from './place.ts';
import type { Git } from './run-git.ts';

/** Neither a program that shows differences nor one that turns files into text is ever asked. */
const PLAIN_DIFF = [
  'diff-tree',
  '-r',
  '--no-ext-diff',
  '--no-textconv',
  '--no-color',
  '--ignore-submodules=all',
];
/** Whoever reads an archive may be slow. */
const ARCHIVE_LIMIT_MS = 15 * 60_000;

export async function readChanges(
  git: Git,
  place: Place,
  from: TreeId | CommitId | null,
  to: TreeId | CommitId,
  limit: number,
): Promise<Changes> {
  const ends = [from === null ? await emptyTree(git, place) : checkedId(from), checkedId(to)];
  const args = [...PLAIN_DIFF, '-z', '--numstat', '--no-renames', ...ends];
  const paths: string[] = [];
  const sums = { files: 0, added: 0, removed: 0 };
  for await (const record of git.records({ gitDir: place.gitDir, args })) {
    const [added = '', removed = '', ...path] = record.split('\t');
    sums.files += 1;
    sums.added += toCount(added);
    sums.removed += toCount(removed);
    if (paths.length < limit) paths.push(toText(path.join('\t')));
  }
  return { ...sums, paths };
}

/** `-` for files that are no text. */
function toCount(field: string): number {
  return field === '-' ? 0 : Number(field);
}

export async function readDiff(
  git: Git,
  place: Place,
  from: CommitId | null,
  to: CommitId,
  limitBytes: number,
): Promise<{ readonly text: string; readonly cut: boolean }> {
  const ends = [from === null ? await emptyTree(git, place) : checkedId(from), checkedId(to)];
  const args = [...PLAIN_DIFF, '-p', '--find-renames', ...ends];
  const chunks: Buffer[] = [];
  let left = limitBytes;
  for await (const chunk of git.stream({ gitDir: place.gitDir, args })) {
    chunks.push(chunk.subarray(0, left));
    left -= chunk.length;
    if (left < 0) break;
  }
  // A character that was cut in two is left out.
  return { text: new StringDecoder('utf8').write(Buffer.concat(chunks)), cut: left < 0 };
}

export async function listPaths(
  git: Git,
  place: Place,
  tree: TreeId,
  limit: number,
): Promise<readonly string[]> {
  const paths: string[] = [];
  for await (const path of git.records(listing(place, tree))) {
    if (paths.length >= limit) break;
    paths.push(toText(path));
  }
  return paths;
}

export async function countFiles(git: Git, place: Place, tree: TreeId): Promise<number> {
  let files = 0;
  for await (const _ of git.records(listing(place, tree))) files += 1;
  return files;
}

export function archive(git: Git, place: Place, commit: CommitId): AsyncIterable<Uint8Array> {
  const args = ['archive', '--format=tar', checkedId(commit)];
  return git.stream({ gitDir: place.gitDir, args, limitMs: ARCHIVE_LIMIT_MS });
}

function listing({ gitDir }: Place, tree: TreeId) {
  return { gitDir, args: ['ls-tree', '-r', '-z', '--name-only', '--full-tree', checkedId(tree)] };
}

function toText(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}
