import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../base/clock.ts';
import { toError } from '../../base/errors.ts';
import { DatabaseTooNew, refuseUnknown } from '../migrate.ts';
import { unpackFolders } from './archive.ts';
import {
  BACKUP_MARK,
  type BackupMark,
  DATABASE_FILE,
  findDamage,
  KEPT_FOLDERS,
  syncToDisk,
  withDatabase,
} from './backup.ts';
import { FolderLocked, lockFolder } from './lock.ts';

/** What belongs to the database, in the order in which it is put aside: the file itself goes last and comes last. */
const REPLACED: readonly string[] = [
  ...KEPT_FOLDERS,
  `${DATABASE_FILE}-shm`,
  `${DATABASE_FILE}-wal`,
  DATABASE_FILE,
];

export type RestoreOutcome =
  | {
      readonly kind: 'restored';
      readonly mark: BackupMark;
      readonly files: number;
      /** Where what was there before is now; null when there was nothing. */
      readonly aside: string | null;
    }
  /** Nothing was changed. */
  | { readonly kind: 'refused'; readonly reason: string };

export type RestoreRequest = {
  readonly file: string;
  readonly dataDir: string;
  /** Whether a data folder that holds something may be replaced; that something is put aside. */
  readonly force: boolean;
  readonly clock: Clock;
};

/**
 * Makes a data folder what it was when the backup was made, while no server runs on it. Everything is checked and
 * unpacked first; what is there already is then renamed out of the way, and back into place nothing but renames happens.
 */
export async function restoreBackup(request: RestoreRequest): Promise<RestoreOutcome> {
  const mark = examine(request.file);
  if (typeof mark === 'string') return { kind: 'refused', reason: mark };
  const stranger = await findStranger(request.dataDir);
  if (stranger !== null) return { kind: 'refused', reason: stranger };

  await mkdir(request.dataDir, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(request.dataDir, request.clock).catch((error: unknown) => toError(error));
  if (lock instanceof FolderLocked) return { kind: 'refused', reason: lock.message };
  if (lock instanceof Error) throw lock;
  try {
    return await replace(request, mark);
  } finally {
    await lock.release();
  }
}

/** The backup's own words; a text: why it cannot be restored. */
function examine(file: string): BackupMark | string {
  if (!existsSync(file)) return `there is no file ${file}`;
  try {
    return withReadOnly(file, (database) => {
      const mark = readMeta(database, BACKUP_MARK);
      if (mark === null) return `${file} is no backup: it was not made by "firekeeper backup"`;
      const damage = findDamage(database);
      if (damage !== null) return `${file} is damaged: ${damage}`;
      refuseUnknown(namesOfMigrations(database));
      return JSON.parse(mark) as BackupMark; // Written by `backUp`; the file is whole.
    });
  } catch (error) {
    if (error instanceof DatabaseTooNew) return `${file}: ${error.message}`;
    return `${file} cannot be read as a backup: ${toError(error).message}`;
  }
}

function namesOfMigrations(database: DatabaseSync): readonly string[] {
  return database
    .prepare('select name from kysely_migration')
    .all()
    .map((row) => String(row.name));
}

/** Files that another user's server could not open afterwards would help nobody. */
async function findStranger(dataDir: string): Promise<string | null> {
  if (!existsSync(dataDir) || process.getuid === undefined) return null;
  const { uid } = await stat(dataDir);
  if (uid === process.getuid()) return null;
  return `${dataDir} belongs to user ${uid}, and this is user ${process.getuid()}: run the command as its owner`;
}

async function replace(
  { file, dataDir, force, clock }: RestoreRequest,
  mark: BackupMark,
): Promise<RestoreOutcome> {
  const former = await listPresent(dataDir);
  if (former.length > 0 && !force) {
    return {
      kind: 'refused',
      reason: `${dataDir} holds ${former.join(', ')} already; --force puts that aside and goes on`,
    };
  }
  const staging = await mkdtemp(join(dataDir, 'restoring-'));
  try {
    await stageDatabase(file, staging, chooseOwner(dataDir));
    const files = await unpack(file, staging);
    const aside = former.length === 0 ? null : await putAside(dataDir, clock);
    for (const name of await listPresent(staging)) await rename(join(staging, name), join(dataDir, name));
    await syncToDisk(dataDir);
    return { kind: 'restored', mark, files, aside };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** What a restore would replace; an empty folder is nothing. */
async function listPresent(folder: string): Promise<readonly string[]> {
  const found = await Promise.all(
    REPLACED.map(async (name) => {
      const path = join(folder, name);
      if (!existsSync(path)) return [];
      return (await stat(path)).isDirectory() && (await readdir(path)).length === 0 ? [] : [name];
    }),
  );
  return found.flat();
}

/** By the owner's id the next server knows which agent processes an earlier one on this very folder left behind. */
type Owner = { readonly kind: 'of-folder'; readonly id: string } | { readonly kind: 'of-backup' | 'new' };

/**
 * The folder keeps its own id. A folder that had none gets a new one: with the backup's it would take the agents of the
 * server that the backup came from, which may be running beside it, for leftovers.
 */
function chooseOwner(dataDir: string): Owner {
  const path = join(dataDir, DATABASE_FILE);
  if (!existsSync(path)) return { kind: 'new' };
  try {
    const id = withReadOnly(path, (database) => readMeta(database, 'owner'));
    return id === null ? { kind: 'new' } : { kind: 'of-folder', id };
  } catch {
    // The folder's database cannot be read, which may be why we are here: the backup is most likely its own.
    return { kind: 'of-backup' };
  }
}

async function stageDatabase(file: string, staging: string, owner: Owner): Promise<void> {
  const [copy, target] = [join(staging, 'copy.sqlite'), join(staging, DATABASE_FILE)];
  await copyFile(file, copy);
  withDatabase(copy, (database) => {
    database.exec('drop table sqlar');
    database.prepare('delete from meta where key = ?').run(BACKUP_MARK);
    if (owner.kind === 'new') database.exec("delete from meta where key = 'owner'");
    if (owner.kind === 'of-folder')
      database.prepare("insert or replace into meta (key, value) values ('owner', ?)").run(owner.id);
    // What was owed then may have been sent since: it is looked for in its room before it is sent again.
    database.exec(`
      update outbox set state = 'unknown', not_before = null, sending_at = coalesce(sending_at, created_at)
      where ended_at is null`);
    database.prepare('vacuum into ?').run(target);
  });
  await rm(copy);
  await syncToDisk(target);
}

async function unpack(file: string, staging: string): Promise<number> {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return await unpackFolders(database, staging, KEPT_FOLDERS);
  } finally {
    database.close();
  }
}

/** Looks again: reading the former database may have made its `-wal` and `-shm`. */
async function putAside(dataDir: string, clock: Clock): Promise<string> {
  const moment = new Date(clock.now()).toISOString().replace(/[:.]/g, '-');
  const aside = join(dataDir, `before-restore-${moment}`);
  await mkdir(aside, { mode: 0o700 });
  for (const name of await listPresent(dataDir)) await rename(join(dataDir, name), join(aside, name));
  return aside;
}

function readMeta(database: DatabaseSync, key: string): string | null {
  const row = database.prepare('select value from meta where key = ?').get(key);
  return row === undefined ? null : String(row.value);
}

function withReadOnly<Result>(path: string, work: (database: DatabaseSync) => Result): Result {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return work(database);
  } finally {
    database.close();
  }
}
