import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readOrMakeSecret } from './secret-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'firekeeper-secret-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const modeOf = (path: string) => statSync(path).mode & 0o777;

test('a secret is made once, long, in a file and a folder of its owner only', () => {
  const file = join(folder, 'data', 'admin-token');
  const secret = readOrMakeSecret(file);
  expect(secret).toMatch(/^[\w-]{43}$/);
  expect(readOrMakeSecret(file)).toBe(secret);
  expect(modeOf(file)).toBe(0o600);
  expect(modeOf(join(folder, 'data'))).toBe(0o700);
  expect(readdirSync(join(folder, 'data'))).toEqual(['admin-token']);
});

test('a secret that is there is kept, and closed to others', () => {
  const file = join(folder, 'admin-token');
  writeFileSync(file, 'chosen by me\n');
  chmodSync(file, 0o644);
  expect(readOrMakeSecret(file)).toBe('chosen by me');
  expect(modeOf(file)).toBe(0o600);
});

test('a blank file is an error, not an empty secret', () => {
  const file = join(folder, 'admin-token');
  writeFileSync(file, ' \n');
  expect(() => readOrMakeSecret(file)).toThrow('blank');
});
