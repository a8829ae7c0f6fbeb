/** What doctor finds, and the checks of the machine itself. */
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toError } from '../base/errors.ts';

export type Check = {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  /** What to do; null when there is nothing to do. */
  readonly advice: string | null;
};

const LEAST_NODE = [22, 18] as const;

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const ok = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
  return {
    name: 'Node',
    state: ok ? 'ok' : 'failed',
    detail: version,
    advice: ok ? null : `Use Node ${LEAST_NODE.join('.')} or newer; bin/firekeeper brings its own.`,
  };
}

/** Writes and removes a file, and the folder when it was missing: the only answer that counts, and no trace. */
export function checkDataDir(dataDir: string): Check {
  const name = 'Data folder';
  try {
    const made = mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const trial = join(dataDir, `doctor-${process.pid}`);
    writeFileSync(trial, '');
    rmSync(trial);
    // Only when it is empty: a server that starts just now has its files in it.
    if (made !== undefined) rmdirSync(dataDir);
    return { name, state: 'ok', detail: `${dataDir} is writable`, advice: null };
  } catch (error) {
    return {
      name,
      state: 'failed',
      detail: `${dataDir}: ${codeOf(error)}`,
      advice: 'Give the user that runs Firekeeper write access, or set DATA_DIR to another folder.',
    };
  }
}

/** What the system calls the error, such as `EACCES`. */
export function codeOf(thrown: unknown): string {
  const error = toError(thrown);
  return 'code' in error ? String(error.code) : error.message;
}
