import { chmod, lstat, readdir } from 'node:fs/promises';
import { RepositoryFailed } from '../repository.ts';
import { isFolder, toPath } from './place.ts';

const OWNER_ENTERS = 0o700;
const OWNER_READS = 0o600;

/**
 * Runs the work, and once more when it failed on a working directory that somebody had closed: a command may take from
 * its files and folders the rights without which they can be neither read nor deleted, and that must not stop a project.
 */
export async function withOpenWork<Value>(folder: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    const isOurs = error instanceof RepositoryFailed ? error.kind === 'broken' : isRefusal(error);
    // A link in its place would be followed to somebody else's files.
    if (!isOurs || !(await isFolder(folder)) || !(await openWork(folder))) throw error;
    return await work();
  }
}

/** Gives the owner the rights that are missing, links left alone; false when none was. */
export async function openWork(folder: string): Promise<boolean> {
  let opened = false;
  const folders = [''];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    const path = toPath(folder, next);
    opened = (await open(path, OWNER_ENTERS)) || opened;
    for (const entry of await readdir(path, { withFileTypes: true, encoding: 'buffer' })) {
      const below = `${next}${entry.name.toString('latin1')}`;
      if (entry.isDirectory()) folders.push(`${below}/`);
      else if (entry.isFile()) opened = (await open(toPath(folder, below), OWNER_READS)) || opened;
    }
  }
  return opened;
}

async function open(path: Buffer, rights: number): Promise<boolean> {
  const { mode } = await lstat(path);
  if ((mode & rights) === rights) return false;
  await chmod(path, (mode & 0o777) | rights);
  return true;
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');
}
