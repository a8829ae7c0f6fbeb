import { existsSync } from 'node:fs';
import { chmod, mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../base/clock.ts';
import { type Archived, archiveFolders } from './archive.ts';

export const DATABASE_FILE = 'firekeeper.sqlite';

/** What a data folder holds beside the database that nothing can make again; the rest is secrets and passing things. */
export const KEPT_FOLDERS: readonly string[] = ['workspaces', 'projects'];

/** The key in `meta` that makes a database a backup: its value says of what, as JSON. */
export const BACKUP_MARK = 'backup';

/** A server beside us holds the file for moments only; this process has nothing else to do meanwhile. */
const BUSY_TIMEOUT_MS = 5_000;
/** All pages in one step: between steps another process's write makes SQLite copy from the first page again, for ever. */
const EVERY_PAGE = 2 ** 31 - 1;

export type BackupMark = {
  /** ISO 8601, UTC. */
  readonly made_at: string;
  /** Version of Firekeeper. */
  readonly version: string;
  readonly files: number;
};

export type BackupOutcome =
  | ({
      readonly kind: 'made';
      readonly bytes: number;
      /** Conversations that go on after a restore. */
      readonly conversations: number;
    } & Archived)
  /** Nothing was written. */
  | { readonly kind: 'refused'; readonly reason: string };

export type BackupRequest = {
  readonly dataDir: string;
  /** Absolute path of the file to make. */
  readonly file: string;
  readonly version: string;
  readonly clock: Clock;
};

/**
 * Writes a data folder into one new file: the database as it stands at one moment, compacted, and beside it the
 * working directories as they are read. A server may run; it notices nothing. The file appears when it is whole, checked and on disk.
 * It is readable by its owner only: it holds what was said, and the bot keys that were learned.
 */
export async function backUp(request: BackupRequest): Promise<BackupOutcome> {
  const { dataDir, file } = request;
  const source = join(dataDir, DATABASE_FILE);
  if (!existsSync(source)) return { kind: 'refused', reason: `there is no database in ${dataDir}` };
  if (existsSync(file)) return { kind: 'refused', reason: `${file} is there already` };
  if (!existsSync(dirname(file))) return { kind: 'refused', reason: `there is no folder ${dirname(file)}` };

  const drafts = await mkdtemp(`${file}.`);
  try {
    const [snapshot, draft] = [join(drafts, 'snapshot.sqlite'), join(drafts, 'backup.sqlite')];
    await copyDatabase(source, snapshot);
    // A database keeps deleted text in its free pages until they are written again; a compacted one has none.
    withDatabase(snapshot, (database) => database.prepare('vacuum into ?').run(draft));
    const made = await complete(draft, request);
    await chmod(draft, 0o600);
    await syncToDisk(draft);
    const { size: bytes } = await stat(draft);
    await rename(draft, file);
    await syncToDisk(dirname(file));
    return { kind: 'made', bytes, ...made };
  } finally {
    await rm(drafts, { recursive: true, force: true });
  }
}

/** One read transaction: in WAL mode it sees one moment and holds up no writer. */
async function copyDatabase(source: string, target: string): Promise<void> {
  const reading = new DatabaseSync(source, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    await backup(reading, target, { rate: EVERY_PAGE });
  } finally {
    reading.close();
  }
}

async function complete(draft: string, { dataDir, version, clock }: BackupRequest) {
  const database = new DatabaseSync(draft);
  try {
    const archived = await archiveFolders(database, dataDir, KEPT_FOLDERS);
    const madeAt = new Date(clock.now()).toISOString();
    const mark: BackupMark = { made_at: madeAt, version, files: archived.files };
    database
      .prepare('insert or replace into meta (key, value) values (?, ?)')
      .run(BACKUP_MARK, JSON.stringify(mark));
    const damage = findDamage(database);
    if (damage !== null) throw new Error(`the database is damaged: ${damage}`);
    const sessions = database.prepare('select count(*) as count from sessions where ended_at is null').get();
    return { conversations: Number(sessions?.count), ...archived };
  } finally {
    database.close();
  }
}

/** What SQLite finds wrong with a file; null: nothing. */
export function findDamage(database: DatabaseSync): string | null {
  const verdict = database.prepare('pragma integrity_check(1)').get()?.integrity_check;
  return verdict === 'ok' ? null : String(verdict);
}

export function withDatabase<Result>(path: string, work: (database: DatabaseSync) => Result): Result {
  const database = new DatabaseSync(path);
  try {
    return work(database);
  } finally {
    database.close();
  }
}

/** A file's content, or a folder's names, survive a power cut. */
export async function syncToDisk(path: string): Promise<void> {
  const opened = await open(path);
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}
