import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Instant } from '../../base/terms.ts';
import { ImportRefused } from '../repository.ts';
import type { CommitId, TreeId } from '../terms.ts';
import { isTrackablePath } from './file-name.ts';
import { writeCommit } from './history.ts';
import { findLocalSource, type ImportSource, parseSource } from './import-source.ts';
import { initRepository } from './init.ts';
import { type Place, withScratch } from './place.ts';
import { type Git, GitFailed } from './run-git.ts';

/** What an import may hold and take. */
export type ImportLimits = {
  /** Of what is fetched, and of the files that come of it. */
  readonly bytes: number;
  readonly files: number;
  readonly timeMs: number;
};

export const IMPORT_LIMITS: ImportLimits = { bytes: 1024 ** 3, files: 100_000, timeMs: 10 * 60_000 };

type ImportDeps = {
  readonly git: Git;
  readonly clock: Clock;
  /** The folder of all projects. */
  readonly root: string;
  readonly limits: ImportLimits;
};

const FETCHED = 'refs/import/head';
const SIZE_EVERY_MS = 250;

/**
 * A commit of ours with the files of the source's head. Everything of the source, its history too, stays in a
 * repository that is deleted again; only the objects of our commit go on from there.
 */
export async function importFrom(
  deps: ImportDeps,
  place: Place,
  source: string,
  at: Instant,
): Promise<CommitId> {
  const parsed = parseSource(source);
  const address =
    parsed.transport === 'file' ? await findLocalSource(parsed.address, deps.root) : parsed.address;
  return await withScratch(place, async (folder) => {
    const gitDir = join(folder, 'source.git');
    await initRepository(deps.git, gitDir);
    await fetchHead(deps, gitDir, { ...parsed, address });
    const tree = await rebuildTree(deps, gitDir);
    const subject = 'Import';
    const commit = await writeCommit(deps.git, { gitDir }, { tree, parent: null, subject, trailers: {}, at });
    await deps.git.text({ gitDir, args: ['update-ref', 'refs/heads/main', commit] });
    await deps.git.text({
      gitDir: place.gitDir,
      transport: 'file',
      args: ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', gitDir, 'refs/heads/main'],
    });
    return commit;
  });
}

async function fetchHead(
  { git, clock, limits }: ImportDeps,
  gitDir: string,
  { transport, address }: ImportSource,
): Promise<void> {
  const tooLarge = new AbortController();
  const stopWatching = clock.every(SIZE_EVERY_MS, () => {
    void sizeOfPacks(gitDir).then((bytes) => bytes > limits.bytes && tooLarge.abort());
  });
  const options = ['--quiet', '--depth=1', '--no-tags', '--no-recurse-submodules', '--no-write-fetch-head'];
  const args = ['fetch', ...options, '--', address, `+HEAD:${FETCHED}`];
  try {
    await git.text({ gitDir, args, transport, limitMs: limits.timeMs, signal: tooLarge.signal });
  } catch (error) {
    throw tooLarge.signal.aborted ? refuseSize(limits) : toRefusal(error);
  } finally {
    stopWatching();
  }
  if ((await sizeOfPacks(gitDir)) > limits.bytes) throw refuseSize(limits);
}

async function sizeOfPacks(gitDir: string): Promise<number> {
  const folder = join(gitDir, 'objects', 'pack');
  const names = await readdir(folder).catch(() => []);
  const sizes = names.map(async (name) => (await stat(join(folder, name)).catch(() => null))?.size ?? 0);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** In words that hold neither the address nor what the other side said. */
function toRefusal(error: unknown): unknown {
  if (!(error instanceof GitFailed) || error.kind === 'disk_full') return error;
  if (error.timedOut) return new ImportRefused('it took too long');
  const reasons: readonly (readonly [RegExp, string])[] = [
    [/couldn't find remote ref HEAD/i, 'it holds no commit'],
    [/dubious ownership/, 'it belongs to another user of this host'],
    [/not appear to be a git repository|repository .*not found/i, 'there is no git repository'],
    [/could not read Username|Authentication failed/i, 'it asks for a password'],
  ];
  const found = reasons.find(([pattern]) => pattern.test(error.stderr));
  return new ImportRefused(found?.[1] ?? 'it could not be read');
}

function refuseSize({ bytes }: ImportLimits): ImportRefused {
  return new ImportRefused(`it is larger than ${Math.floor(bytes / 1024 ** 2)} MB`);
}

/** The head's files in a tree that git builds anew from names that were checked: no link, no submodule. */
async function rebuildTree({ git, limits }: ImportDeps, gitDir: string): Promise<TreeId> {
  const lines: string[] = [];
  let bytes = 0;
  const args = ['ls-tree', '-r', '-z', '--long', '--full-tree', FETCHED];
  for await (const record of git.records({ gitDir, args })) {
    const { mode, type, id, size, path } = parseEntry(record);
    if (type !== 'blob') continue;
    if (!isTrackablePath(path)) throw new ImportRefused('it holds a file whose name git does not allow');
    bytes += size;
    if (bytes > limits.bytes) throw refuseSize(limits);
    if (lines.length >= limits.files) throw new ImportRefused(`it holds more than ${limits.files} files`);
    lines.push(`${mode === '100755' ? mode : '100644'} ${id}\t${path}\0`);
  }
  await git.text({ gitDir, args: ['read-tree', '--empty'] });
  await git.text({ gitDir, args: ['update-index', '-z', '--index-info'], input: lines.join('') });
  return (await git.text({ gitDir, args: ['write-tree'] })) as TreeId;
}

/** `<mode> <type> <id> <size, padded>\t<path>`; a submodule's size is `-`. */
function parseEntry(record: string) {
  const tab = record.indexOf('\t');
  const [mode = '', type = '', id = '', size = '0'] = record.slice(0, tab).split(/ +/);
  return { mode, type, id, size: Number(size), path: record.slice(tab + 1) };
}
