/** Where this machine's strace is. The test that counts syncs skips without one, except in CI, where it fails. */
import { join } from 'node:path';
import { foldersOn, isExecutable } from './executable.ts';

/** The executable's path; null when there is none. macOS has none. */
export function findStrace(env: NodeJS.ProcessEnv = process.env): string | null {
  return (
    foldersOn(env.PATH)
      .map((folder) => join(folder, 'strace'))
      .find(isExecutable) ?? null
  );
}

/** In CI a missing strace is a failure, not a silence. */
export const hasNoStrace = findStrace() === null && !process.env.CI;
