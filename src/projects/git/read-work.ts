import { lstat, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RepositoryFailed } from '../repository.ts';
import type { TreeId } from '../terms.ts';
import { isTrackableName, isTrackablePath } from './file-name.ts';
import { checkWork, type Place, toPath, withIndex } from './place.ts';
import type { Git, GitCall } from './run-git.ts';

/** Changed or new paths of a working directory, by what stands there now. Latin1, relative, without a slash at the end. */
type WorkChanges = {
  readonly files: string[];
  readonly links: string[];
  /** Tracked until now. */
  readonly gone: string[];
};

const MOST_CHANGES = 500_000;
const FILES_AT_ONCE = 32;
const NO_OBJECT = '0'.repeat(40);

/**
 * Writes the tree that the working directory holds. git's own `add` is not used: it would take a folder with a
 * repository in it for a submodule, and ask that repository's configuration what to run. Here its files are files like
 * others and its `.git` is left out. A link becomes a file that holds where it points.
 */
export async function readWork(git: Git, place: Place): Promise<TreeId> {
  await checkWork(place);
  return await withIndex(place, async (indexFile, isNew, folder) => {
    const at = { gitDir: place.gitDir, workTree: place.work, indexFile };
    if (isNew) await readBranch(git, at);
    // One after the other: what a tracked file gave way to is seen once that file is tracked no more.
    await writeChanges(git, at, await findChanged(git, at), folder);
    await writeChanges(git, at, await findNew(git, at), folder);
    return (await git.text({ ...at, args: ['write-tree'] })) as TreeId;
  });
}

type Where = Pick<GitCall, 'gitDir' | 'indexFile'> & { readonly workTree: string };

/** What is tracked when nobody wrote it down: the branch's files. */
async function readBranch(git: Git, at: Where): Promise<void> {
  const branch = ['for-each-ref', '--format=%(objectname)', 'refs/heads/main'];
  const commit = await git.text({ ...at, args: branch });
  await git.text({ ...at, args: commit === '' ? ['read-tree', '--empty'] : ['read-tree', commit] });
}

async function findChanged(git: Git, at: Where): Promise<WorkChanges> {
  const changes: WorkChanges = { files: [], links: [], gone: [] };
  const args = ['diff-files', '-z', '--name-only', '--no-renames'];
  const tracked = await collect(git.records({ ...at, args }));
  await sort(at.workTree, tracked, changes, (path) => changes.gone.push(path));
  return changes;
}

async function findNew(git: Git, at: Where): Promise<WorkChanges> {
  const changes: WorkChanges = { files: [], links: [], gone: [] };
  const args = ['ls-files', '-z', '--others', '--exclude-standard'];
  const others = await collect(git.records({ ...at, args }));
  // What ends with a slash is a folder with a repository of its own.
  const paths = others.map((path) => path.replace(/\/$/, '')).filter(isTrackablePath);
  const nested: string[] = [];
  await sort(at.workTree, paths, changes, (path, isFolder) => isFolder && nested.push(path));
  for (const folder of nested) {
    const inside = await withoutIgnored(git, at, await listBelow(at.workTree, folder));
    await sort(at.workTree, inside, changes, () => {});
  }
  return changes;
}

/** Puts each path where it belongs; `other` gets what is neither a file nor a link, or is only reached by a link. */
async function sort(
  work: string,
  paths: readonly string[],
  changes: WorkChanges,
  other: (path: string, isFolder: boolean) => void,
): Promise<void> {
  for (let first = 0; first < paths.length; first += FILES_AT_ONCE) {
    const some = paths.slice(first, first + FILES_AT_ONCE);
    const found = await Promise.all(some.map((path) => look(work, path)));
    some.forEach((path, at) => {
      if (found[at] === 'file') changes.files.push(path);
      else if (found[at] === 'link') changes.links.push(path);
      else other(path, found[at] === 'folder');
    });
  }
}

/** What stands at a path, when every folder on the way to it is one. */
async function look(work: string, path: string): Promise<'file' | 'link' | 'folder' | null> {
  const parts = path.split('/');
  for (let depth = 1; depth < parts.length; depth++) {
    const parent = await lstat(toPath(work, parts.slice(0, depth).join('/'))).catch(() => null);
    if (!parent?.isDirectory()) return null;
  }
  const found = await lstat(toPath(work, path)).catch(() => null);
  if (found?.isFile()) return 'file';
  if (found?.isSymbolicLink()) return 'link';
  return found?.isDirectory() ? 'folder' : null;
}

/** Everything below a folder that may be tracked, however deep, but for what another repository keeps of itself. */
async function listBelow(work: string, folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    const entries = await readdir(toPath(work, next), { withFileTypes: true, encoding: 'buffer' });
    for (const entry of entries) {
      const name = entry.name.toString('latin1');
      if (!isTrackableName(name)) continue;
      (entry.isDirectory() ? folders : found).push(`${next}/${name}`);
    }
    if (found.length + folders.length > MOST_CHANGES) throw tooMany();
  }
  return found;
}

async function withoutIgnored(git: Git, at: Where, paths: readonly string[]): Promise<readonly string[]> {
  if (paths.length === 0) return [];
  const call = { ...at, args: ['check-ignore', '-z', '--stdin'], input: toInput(paths), expected: [1] };
  const ignored = new Set(await collect(git.records(call)));
  return paths.filter((path) => !ignored.has(path));
}

async function writeChanges(git: Git, at: Where, changes: WorkChanges, folder: string): Promise<void> {
  const texts = await writeLinkTexts(git, at, changes.links, folder);
  const lines = [
    ...changes.gone.map((path) => `0 ${NO_OBJECT}\t${path}`),
    ...changes.links.map((path, nth) => `100644 ${texts[nth]}\t${path}`),
  ];
  if (lines.length > 0)
    await git.text({ ...at, args: ['update-index', '-z', '--index-info'], input: toInput(lines) });
  if (changes.files.length === 0) return;
  const args = ['update-index', '-z', '--add', '--replace', '--remove', '--stdin'];
  await git.text({ ...at, args, input: toInput(changes.files) });
}

/** The objects that hold where each link points. */
async function writeLinkTexts(
  git: Git,
  at: Where,
  links: readonly string[],
  folder: string,
): Promise<readonly string[]> {
  if (links.length === 0) return [];
  const copies = await Promise.all(
    links.map(async (path, nth) => {
      const copy = join(folder, `link-${nth}`);
      await writeFile(copy, await readlink(toPath(at.workTree, path), { encoding: 'buffer' }));
      return copy;
    }),
  );
  const args = ['hash-object', '-w', '--no-filters', '--stdin-paths'];
  const written: string[] = [];
  for await (const chunk of git.stream({ ...at, args, input: `${copies.join('\n')}\n` }))
    written.push(chunk.toString('latin1'));
  return written.join('').trimEnd().split('\n');
}

async function collect(records: AsyncIterable<string>): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const record of records) {
    found.push(record);
    if (found.length > MOST_CHANGES) throw tooMany();
  }
  return found;
}

function tooMany(): RepositoryFailed {
  return new RepositoryFailed('broken', `more than ${MOST_CHANGES} files`);
}

function toInput(lines: readonly string[]): string {
  return lines.map((line) => `${line}\0`).join('');
}
