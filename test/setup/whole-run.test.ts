import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { findChromium } from './chromium.ts';
import { forgetMachine } from './environment.ts';
import { endProcesses, findLeftProcesses } from './left-processes.ts';
import { findPostgres } from './postgres.ts';
import { makeTempFolder, removeTempFolders } from './temp.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

describe('what a test run leaves behind', () => {
  test('a process that carries the mark is found and ended', async () => {
    const mark = `firekeeper-run-${randomUUID()}`;
    const child = spawn('sleep', ['60'], { env: { ...process.env, DATA_DIR: `/${mark}/data` } });
    children.push(child);
    const exited = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));

    const left = await findLeftProcesses(mark, 1);
    expect(left).toEqual([{ pid: child.pid, command: 'sleep 60' }]);

    endProcesses(left);
    expect(await exited).toBe('SIGKILL');
    expect(await findLeftProcesses(mark)).toEqual([]);
  });

  test('ending a process that is gone already does nothing', () => {
    expect(() => endProcesses([{ pid: 2 ** 22 + 1, command: 'gone' }])).not.toThrow();
  });

  test('a temporary folder is removed with what it holds', () => {
    const folder = makeTempFolder();
    writeFileSync(join(folder, 'file'), 'text');
    removeTempFolders();
    expect(existsSync(folder)).toBe(false);
  });
});

describe('the environment of a test run', () => {
  test('credentials, endpoints, proxies and our own variables are forgotten, the rest stays', () => {
    const env = {
      ANTHROPIC_API_KEY: 'a',
      ANTHROPIC_BASE_URL: 'b',
      CLAUDE_CODE_OAUTH_TOKEN: 'c',
      CLAUDECODE: '1',
      HTTPS_PROXY: 'd',
      no_proxy: 'e',
      BOT_KEY_HELPER: 'f',
      CAMPFIRE_URL: 'g',
      DATA_DIR: 'h',
      PGPASSWORD: 'i',
      PATH: '/bin',
      HOME: '/home/someone',
      HOSTNAME: 'machine',
    };
    forgetMachine(env);
    expect(env).toEqual({ PATH: '/bin', HOME: '/home/someone', HOSTNAME: 'machine' });
  });

  test('this very run has none of them', () => {
    const before = Object.keys(process.env);
    const env = { ...process.env };
    forgetMachine(env);
    expect(Object.keys(env)).toEqual(before);
  });

  test('Postgres is taken from the PATH first, then the newest that is installed, and may be missing', () => {
    const folder = makeTempFolder();
    for (const version of ['9', '15', '16'])
      for (const program of ['initdb', 'postgres']) {
        const bin = join(folder, version, 'bin');
        mkdirSync(bin, { recursive: true });
        if (version !== '16' || program !== 'initdb') writeFileSync(join(bin, program), '', { mode: 0o755 });
      }
    expect(findPostgres({ PATH: '/missing' }, folder)).toBe(join(folder, '15', 'bin'));
    expect(findPostgres({ PATH: join(folder, '9', 'bin') }, folder)).toBe(join(folder, '9', 'bin'));
    expect(findPostgres({ PATH: '/missing' }, '/missing')).toBeNull();
  });

  test('Chromium is taken from CHROMIUM_PATH first, then from the PATH, and may be missing', () => {
    expect(findChromium({ CHROMIUM_PATH: '/bin/sh', PATH: '' })).toBe('/bin/sh');
    expect(findChromium({ CHROMIUM_PATH: '/missing/chromium', PATH: '/missing' })).toSatisfy(
      (found) => found === null || String(found).startsWith('/Applications/'),
    );
  });
});
