import { type FSWatcher, watch } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { fingerprintFolders } from './folders.ts';

/** An editor writes, renames and sets times in one go; the files are read when it is done. */
const QUIET_MS = 200;
/** Network and container mounts report nothing: the folders are looked at as well. */
const LOOK_EVERY_MS = 3_000;

export type FolderWatch = { close(): void };

/**
 * Calls `onChange` once after files in the folders have changed, as their names, sizes or times show; what the system
 * reports only makes that sooner. `folders` is asked each time. Never keeps the process alive.
 */
export async function watchFolders(deps: {
  readonly folders: () => readonly string[];
  readonly clock: Clock;
  readonly onChange: () => void;
}): Promise<FolderWatch> {
  const { folders, clock, onChange } = deps;
  const watchers = new Map<string, FSWatcher>();
  let seen = await fingerprintFolders(folders());
  let looking = false;
  let closed = false;
  let cancelLook = () => {};

  async function look(): Promise<void> {
    if (looking || closed) return;
    looking = true;
    listen();
    const now = await fingerprintFolders(folders());
    looking = false;
    if (now === seen || closed) return;
    seen = now;
    onChange();
  }

  function soon(): void {
    cancelLook();
    cancelLook = clock.after(QUIET_MS, () => void look());
  }

  /** A folder that cannot be listened to (not there, no watches left) is still looked at. */
  function listen(): void {
    for (const folder of folders()) {
      if (watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, soon);
        watchers.set(folder, watcher);
        watcher.on('error', () => {
          watcher.close();
          watchers.delete(folder);
        });
      } catch {
        // Looked at below, every few seconds.
      }
    }
  }

  listen();
  const stop = clock.every(LOOK_EVERY_MS, () => void look());
  return {
    close() {
      closed = true;
      stop();
      cancelLook();
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}
