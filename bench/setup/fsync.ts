import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** What one commit adds to SQLite's write-ahead log at least: a page and its header. */
const FRAME_BYTES = 4_096 + 24;

export type FsyncProbe = {
  /** Appends one frame and syncs it, alone; milliseconds of the sync. */
  once(): number;
  close(): void;
};

/** Measures what one sync to disk costs in a folder: the part of every durable write that no code can save. */
export function makeFsyncProbe(folder: string): FsyncProbe {
  const file = openSync(join(folder, 'fsync-probe'), 'w');
  const frame = Buffer.alloc(FRAME_BYTES, 1);
  return {
    once() {
      writeSync(file, frame);
      const begun = performance.now();
      fsyncSync(file);
      return performance.now() - begun;
    },
    close: () => closeSync(file),
  };
}
