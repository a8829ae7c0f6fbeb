import { mkdirSync, realpathSync } from 'node:fs';
import { copyFile, lstat, mkdir, mkdtemp, readdir, rename, rm, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { RepositoryFailed } from '../repository.ts';
import type { ProjectId } from '../terms.ts';

/** Where one project lies; all of them real paths. */
export type Place = {
  readonly folder: string;
  readonly gitDir: string;
  readonly work: string;
  /** For what a call needs while it runs. */
  readonly scratch: string;
  /** What the working directory was last known to hold. */
  readonly index: string;
};

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const FOLDER_MODE = 0o700;
/** Longer than any call takes, so that what is older belongs to one that was killed. */
const SCRATCH_KEPT_MS = 86_400_000;

/** The projects' folder by its real path, made when missing. Throws when it is itself a link. */
export function realRoot(root: string): string {
  mkdirSync(root, { recursive: true, mode: FOLDER_MODE });
  const path = join(realpathSync(dirname(root)), basename(root));
  if (realpathSync(path) !== path) throw new Error('the folder of the projects is a link');
  return path;
}

/** Where a project would lie. Throws for anything but a UUID: ids of projects are ours. */
export function placeOf(root: string, project: ProjectId): Place {
  if (!UUID.test(project)) throw new Error('the id of a project is a UUID');
  const folder = join(root, project);
  const gitDir = join(folder, 'repo.git');
  return {
    folder,
    gitDir,
    work: join(folder, 'work'),
    scratch: join(folder, 'scratch'),
    index: join(gitDir, 'index'),
  };
}

/** Rejects unless the repository is there and every folder on the way is a folder, none of them a link. */
export async function checkPlace(root: string, place: Place): Promise<void> {
  for (const path of [root, place.folder, place.gitDir])
    if (!(await isFolder(path)))
      throw new RepositoryFailed('broken', `${basename(path)} is missing or not a folder`);
}

/** As `checkPlace`, for calls that read the working directory: one that is missing is no empty one. */
export async function checkWork(place: Place): Promise<void> {
  if (!(await isFolder(place.work)))
    throw new RepositoryFailed('broken', 'the working directory is missing or not a folder');
}

export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: FOLDER_MODE });
  if (!(await isFolder(path))) throw new RepositoryFailed('broken', `${basename(path)} is not a folder`);
}

export async function isFolder(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  return found?.isDirectory() ?? false;
}

/** A folder of the call's own, gone when it ends. */
export async function withScratch<Value>(
  place: Place,
  work: (folder: string) => Promise<Value>,
): Promise<Value> {
  await makeFolder(place.scratch);
  const folder = await mkdtemp(join(place.scratch, 'call-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * A copy of the index to work on, which becomes the project's own when the work is done: a call that was killed leaves
 * neither a half-written one nor a lock.
 */
export async function withIndex<Value>(
  place: Place,
  work: (index: string, isNew: boolean, folder: string) => Promise<Value>,
): Promise<Value> {
  return await withScratch(place, async (folder) => {
    const index = join(folder, 'index');
    const isNew = !(await copyIfThere(place.index, index));
    const value = await work(index, isNew, folder);
    await rename(index, place.index);
    return value;
  });
}

/** Deletes what calls left that were killed. */
export async function sweepScratch(place: Place, clock: Clock): Promise<void> {
  const names = await readdir(place.scratch).catch(() => []);
  for (const name of names) {
    const path = join(place.scratch, name);
    const found = await lstat(path).catch(() => null);
    if (found !== null && clock.now() - found.mtimeMs > SCRATCH_KEPT_MS)
      await rm(path, { recursive: true, force: true });
  }
}

async function copyIfThere(from: string, to: string): Promise<boolean> {
  try {
    const { atime, mtime } = await lstat(from);
    await copyFile(from, to);
    // A file that was written when the index was may have changed since: git knows by the index's time.
    await utimes(to, atime, mtime);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** A path below a folder, from its bytes as latin1: names need not be UTF-8. */
export function toPath(folder: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, 'latin1')]);
}
