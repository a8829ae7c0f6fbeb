import type { Dirent, Stats } from 'node:fs';
import {
  chmod,
  lstat,
  mkdir,
  opendir,
  readFile,
  readlink,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { deflateSync, inflateSync } from 'node:zlib';

/**
 * Folders inside a database, in SQLite's own archive format: `sqlite3 FILE -A --list` shows them and
 * `sqlite3 FILE -A --extract` unpacks them, without Firekeeper.
 */
const TABLE =
  'create table sqlar (name text primary key, mode integer, mtime integer, sz integer, data blob)';

/** Half of what SQLite lets a row hold; a larger file is left out and named. */
const MOST_BYTES = 512 * 1024 * 1024;
/** `sz` of a symbolic link, whose target is its data. */
const IS_LINK = -1;
const TYPES = { folder: 0o040000, file: 0o100000, link: 0o120000 } as const;

export type Archived = {
  readonly files: number;
  /** Paths of what could not be kept: too large, unreadable, no plain file, or a name that is no text. */
  readonly leftOut: readonly string[];
};

type Row = {
  readonly name: string;
  readonly mode: number;
  readonly mtime: number;
  readonly sz: number;
  readonly content: Uint8Array | string | null;
};

/** Writes the named folders of `root`, those that exist, into the database; one transaction. */
export async function archiveFolders(
  database: DatabaseSync,
  root: string,
  folders: readonly string[],
): Promise<Archived> {
  database.exec(`begin; ${TABLE}`);
  const insert = database.prepare('insert into sqlar (name, mode, mtime, sz, data) values (?, ?, ?, ?, ?)');
  const leftOut: string[] = [];
  let files = 0;
  for (const folder of folders) {
    for await (const name of walk(root, folder, leftOut)) {
      const row = await readRow(root, name);
      if (row === 'gone') continue;
      if (row === 'left-out') {
        leftOut.push(name);
        continue;
      }
      insert.run(row.name, row.mode, row.mtime, row.sz, row.content);
      if (row.mode >= TYPES.file) files += 1;
    }
  }
  database.exec('commit');
  return { files, leftOut };
}

/** Every path below a folder and the folder itself, from `root`; a folder comes before what it holds. */
async function* walk(root: string, name: string, leftOut: string[]): AsyncGenerator<string> {
  const entries = await readEntries(join(root, name));
  if (entries === 'gone') return;
  yield name;
  if (entries === 'unreadable') return void leftOut.push(name);
  for (const entry of entries) {
    const inner = `${name}/${entry.name}`;
    // What was no UTF-8 cannot be found again under the name that was made of it.
    if (inner.includes('\uFFFD')) leftOut.push(inner);
    else if (entry.isDirectory()) yield* walk(root, inner, leftOut);
    else yield inner;
  }
}

async function readEntries(path: string): Promise<readonly Dirent[] | 'gone' | 'unreadable'> {
  try {
    const entries: Dirent[] = [];
    for await (const entry of await opendir(path)) entries.push(entry);
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    return isCode(error, 'ENOENT') ? 'gone' : 'unreadable';
  }
}

/** `gone`: deleted since it was listed; a server may be running beside us. */
async function readRow(root: string, name: string): Promise<Row | 'gone' | 'left-out'> {
  const path = join(root, name);
  try {
    const stats = await lstat(path);
    const mtime = Math.floor(stats.mtimeMs / 1000);
    const facts = { name, mode: typeOf(stats) | (stats.mode & 0o777), mtime };
    if (stats.isDirectory()) return { ...facts, sz: 0, content: null };
    if (stats.isSymbolicLink()) return { ...facts, sz: IS_LINK, content: await readlink(path) };
    if (!stats.isFile() || stats.size > MOST_BYTES) return 'left-out';
    const read = await readFile(path);
    const deflated = deflateSync(read);
    return { ...facts, sz: read.length, content: deflated.length < read.length ? deflated : read };
  } catch (error) {
    return isCode(error, 'ENOENT') ? 'gone' : 'left-out';
  }
}

function typeOf(stats: Stats): number {
  if (stats.isDirectory()) return TYPES.folder;
  return stats.isSymbolicLink() ? TYPES.link : TYPES.file;
}

/**
 * Unpacks the archive into an empty folder. Nothing is written outside of `root` or through a link: names are checked,
 * and links come last. Throws at a name that leads elsewhere.
 */
export async function unpackFolders(
  database: DatabaseSync,
  root: string,
  folders: readonly string[],
): Promise<number> {
  const select = database.prepare(
    'select name, mode, mtime, sz, data as content from sqlar order by sz = -1, name',
  );
  const packed: Row[] = [];
  let files = 0;
  for (const found of select.iterate()) {
    const row = found as Row; // The columns as `archiveFolders` wrote them; the file's integrity is checked.
    if (!isInside(row.name, folders))
      throw new Error(`the backup holds a file outside its folders: ${row.name}`);
    await unpack(row, join(root, row.name));
    if (isFolder(row)) packed.push({ ...row, content: null });
    else files += 1;
  }
  // Last, from the inside out: a folder may forbid writing, and writing into it changes its time.
  for (const row of packed.reverse()) await restoreFacts(row, join(root, row.name));
  return files;
}

async function unpack(row: Row, path: string): Promise<void> {
  if (isFolder(row)) return void (await mkdir(path, { recursive: true, mode: 0o700 }));
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  if (row.sz === IS_LINK) return symlink(String(row.content), path);
  await writeFile(path, inflate(row), { flag: 'wx', mode: 0o600 });
  await restoreFacts(row, path);
}

function inflate({ name, sz, content }: Row): Uint8Array {
  const packed = typeof content === 'string' ? Buffer.from(content) : (content ?? new Uint8Array());
  const whole = packed.length === sz ? packed : inflateSync(packed, { maxOutputLength: MOST_BYTES });
  if (whole.length !== sz) throw new Error(`the backup's copy of ${name} is not whole`);
  return whole;
}

async function restoreFacts({ mode, mtime }: Row, path: string): Promise<void> {
  await chmod(path, mode & 0o777);
  await utimes(path, mtime, mtime);
}

function isFolder({ mode }: Row): boolean {
  return (mode & 0o170000) === TYPES.folder;
}

/** Whether an archived name is a path within one of the folders. */
export function isInside(name: string, folders: readonly string[]): boolean {
  const parts = name.split('/');
  const isPlain = (part: string): boolean => part !== '' && part !== '.' && part !== '..';
  return !name.includes('\0') && parts.every(isPlain) && folders.includes(parts[0] ?? '');
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
