import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beginReaping } from '../agent/claude/reap.ts';
import { makeFamilies } from '../agent/families.ts';
import { systemProcessTable } from '../agent/process-table.ts';
import type { Clock } from '../base/clock.ts';
import { type FolderLock, lockFolder } from '../store/sqlite/lock.ts';

/**
 * Takes the data folder for this process, and tells whom a killed server left in it to end. It is done before the
 * server's parts are loaded, so it imports few of them. Rejects with `FolderLocked`.
 */
export async function takeFolder(dataDir: string, clock: Clock): Promise<FolderLock> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(dataDir, clock);
  const families = makeFamilies({ table: systemProcessTable(process.platform), clock, self: process.pid });
  // The reaper looks again when the parts are there: it is the one who tells how this ended.
  beginReaping(homesIn(dataDir), families).catch(() => {});
  return lock;
}

/** Folder of the agents' homes. */
export function homesIn(dataDir: string): string {
  return join(dataDir, 'agents');
}
