import { lstat, rm, unlink } from 'node:fs/promises';
import { emptyTree } from './history.ts';
import { makeFolder, type Place, toPath, withIndex } from './place.ts';
import type { Git, GitCall } from './run-git.ts';

type Where = Pick<GitCall, 'gitDir' | 'indexFile'> & { readonly workTree: string };

/**
 * Makes the working directory equal to a tree; null: to the empty one. What the tree's own rules ignore stays. Links on
 * the way to a file are taken away before anything is written, so that nothing is written through them, and so is every
 * `.git`: a program that looks for a repository there must not find one that an agent made.
 */
export async function resetWork(git: Git, place: Place, tree: string | null): Promise<void> {
  await makeFolder(place.work);
  await withIndex(place, async (indexFile) => {
    const at = { gitDir: place.gitDir, workTree: place.work, indexFile };
    await clearTheWay(at, tree === null ? [] : await foldersOf(git, at, tree));
    const reset = ['read-tree', '--reset', '-u', '--no-recurse-submodules'];
    await git.text({ ...at, args: [...reset, tree ?? (await emptyTree(git, at))] });
    await dropForeignRules(git, at);
    await git.text({ ...at, args: ['clean', '-ffdq'] });
  });
}

/** Parents before their children, the working directory itself first. */
async function foldersOf(git: Git, at: Where, tree: string): Promise<readonly string[]> {
  const folders: string[] = [];
  const args = ['ls-tree', '-r', '-d', '-z', '--name-only', '--full-tree', tree];
  for await (const path of git.records({ ...at, args })) folders.push(path);
  return folders;
}

async function clearTheWay(at: Where, folders: readonly string[]): Promise<void> {
  await removeGit(at.workTree, '');
  const gone = new Set<string>();
  for (const folder of folders) {
    if (gone.has(folder.slice(0, Math.max(0, folder.lastIndexOf('/'))))) {
      gone.add(folder);
      continue;
    }
    const found = await lstat(toPath(at.workTree, folder)).catch(() => null);
    if (found?.isDirectory()) {
      await removeGit(at.workTree, `${folder}/`);
      continue;
    }
    gone.add(folder);
    if (found !== null) await unlink(toPath(at.workTree, folder));
  }
}

async function removeGit(work: string, folder: string): Promise<void> {
  await rm(toPath(work, `${folder}.git`), { recursive: true, force: true });
}

/**
 * Takes away rules of ignoring that the tree does not hold, but for those below what its own rules ignore. Otherwise
 * what a failed attempt wrote there would hide new files from every later one.
 */
async function dropForeignRules(git: Git, at: Where): Promise<void> {
  const args = ['ls-files', '-z', '--others', '--', ':(glob)**/.gitignore'];
  let left: string[] = [];
  for await (const path of git.records({ ...at, args })) left.push(path);
  for (let depth = 1; left.length > 0; depth++) {
    const here = left.filter((path) => path.split('/').length === depth);
    const ignored = await ignoredFolders(git, at, here);
    for (const path of here)
      if (!ignored.has(parentOf(path))) await rm(toPath(at.workTree, path), { force: true });
    left = left.filter((path) => path.split('/').length > depth && !isBelow(path, ignored));
  }
}

async function ignoredFolders(git: Git, at: Where, rules: readonly string[]): Promise<ReadonlySet<string>> {
  const folders = [...new Set(rules.map(parentOf))].filter((folder) => folder !== '');
  if (folders.length === 0) return new Set();
  const input = folders.map((folder) => `${folder}\0`).join('');
  const args = ['check-ignore', '--no-index', '-z', '--stdin'];
  const ignored = new Set<string>();
  for await (const folder of git.records({ ...at, args, input, expected: [1] })) ignored.add(folder);
  return ignored;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function isBelow(path: string, folders: ReadonlySet<string>): boolean {
  for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent))
    if (folders.has(parent)) return true;
  return false;
}
