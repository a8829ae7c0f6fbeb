/** Temporary folders of tests. Each is removed after the test file that made it, whatever happened in it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made: string[] = [];

/** A new empty folder; works in a test, in a hook and at the top of a test file alike. */
export function makeTempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'firekeeper-test-'));
  made.push(folder);
  return folder;
}

/** Called after each test file (`each-file.ts`). */
export function removeTempFolders(): void {
  for (const folder of made.splice(0)) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
