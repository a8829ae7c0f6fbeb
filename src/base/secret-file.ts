import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { toError } from './errors.ts';

/**
 * The secret kept in this file; made, 32 random bytes as base64url, when there is none. The file is readable by its
 * owner only, its folder (made when missing) too. Two processes that start at once get the same secret. Throws what
 * the file system throws, and when the file is blank: nobody guards anything with an empty secret.
 */
export function readOrMakeSecret(file: string): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const secret = readSecret(file) ?? makeSecret(file);
  if (secret === '')
    throw new Error(`${file} is blank: delete it and a new secret is made at the next start`);
  chmodSync(file, 0o600);
  return secret;
}

/** Null when there is no file. */
function readSecret(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** Written whole under another name first: a link appears at once and never over somebody else's. */
function makeSecret(file: string): string {
  const secret = randomBytes(32).toString('base64url');
  const whole = `${file}.${randomBytes(6).toString('hex')}`;
  writeFileSync(whole, `${secret}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    linkSync(whole, file);
    return secret;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return readFileSync(file, 'utf8').trim();
    throw error;
  } finally {
    rmSync(whole, { force: true });
  }
}

function isCode(thrown: unknown, code: string): boolean {
  const error = toError(thrown);
  return 'code' in error && error.code === code;
}
