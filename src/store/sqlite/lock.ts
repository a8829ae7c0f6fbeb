import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../base/clock.ts';
import { isBusy } from './connection.ts';

/** Who holds a data folder, as `lock.json` says it. */
export type LockHolder = {
  readonly pid: number;
  readonly host: string;
  /** ISO 8601, UTC. */
  readonly started: string;
  /** Where its server listens; null until it does, or when the holder is no server. */
  readonly address: string | null;
};

export type FolderLock = {
  /** Writes into `lock.json` where the server listens: the command line finds it there. */
  announce(address: string): Promise<void>;
  release(): Promise<void>;
};

/** Another process works on the data folder; `holder` is null while it has not yet written its name. */
export class FolderLocked extends Error {
  readonly holder: LockHolder | null;
  constructor(folder: string, holder: LockHolder | null) {
    super(
      `${folder} is in use by ${holder === null ? 'another process' : describe(holder)}: ` +
        'stop it first, or use another DATA_DIR',
    );
    this.name = 'FolderLocked';
    this.holder = holder;
  }
}

/**
 * Takes the folder for this process. The lock is the operating system's, on `lock.sqlite`, held by an open exclusive
 * transaction: it ends with the process, however that ends. `lock.json` only names the holder. Nothing else may open
 * `lock.sqlite` in this process: closing any descriptor of a file gives up its POSIX locks. Rejects with `FolderLocked`.
 */
export async function lockFolder(folder: string, clock: Clock): Promise<FolderLock> {
  const nameFile = join(folder, 'lock.json');
  const connection = new DatabaseSync(join(folder, 'lock.sqlite'), { timeout: 0 });
  try {
    connection.exec('begin exclusive');
  } catch (error) {
    connection.close();
    if (!isBusy(error)) throw error;
    throw new FolderLocked(folder, await readHolder(folder));
  }

  const holder: LockHolder = {
    pid: process.pid,
    host: hostname(),
    started: new Date(clock.now()).toISOString(),
    address: null,
  };
  await writeWhole(nameFile, holder);
  return {
    announce: (address) => writeWhole(nameFile, { ...holder, address }),
    async release() {
      if (!connection.isOpen) return;
      // The name goes first: afterwards it could be the next holder's.
      await rm(nameFile, { force: true });
      connection.close();
    },
  };
}

/** The name in `lock.json`; null when there is none. That somebody holds the folder only `lockFolder` can tell. */
export async function readHolder(folder: string): Promise<LockHolder | null> {
  const text = await readFile(join(folder, 'lock.json'), 'utf8').catch(() => null);
  if (text === null) return null;
  const said: unknown = parseOrNull(text);
  if (typeof said !== 'object' || said === null) return null;
  const { pid, host, started, address } = said as Record<string, unknown>;
  if (typeof pid !== 'number' || typeof host !== 'string' || typeof started !== 'string') return null;
  return { pid, host, started, address: typeof address === 'string' ? address : null };
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Whoever reads the file sees the old name or the new one, never half of one. */
async function writeWhole(path: string, holder: LockHolder): Promise<void> {
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
  await rename(draft, path);
}

function describe(holder: LockHolder): string {
  const at = holder.address === null ? '' : `, listening on ${holder.address}`;
  return `process ${holder.pid} on ${holder.host} (started ${holder.started}${at})`;
}
