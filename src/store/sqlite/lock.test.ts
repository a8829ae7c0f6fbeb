import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeFakeClock } from '../../../test/fixtures/fake-clock.ts';
import { FolderLocked, lockFolder, readHolder } from './lock.ts';

const clock = makeFakeClock(Date.UTC(2026, 4, 1));
let folder: string;
let child: ChildProcess | null;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'firekeeper-lock-'));
  child = null;
});
afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) await kill(child);
  await rm(folder, { recursive: true });
});

/** A server on the folder, in a process of its own. */
async function holdFromOutside(): Promise<ChildProcess> {
  const holder = fileURLToPath(new URL('../../../test/fixtures/hold-folder.ts', import.meta.url));
  child = spawn(process.execPath, [holder, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout!, 'data');
  return child;
}

async function kill(process: ChildProcess): Promise<void> {
  process.kill('SIGKILL');
  await once(process, 'exit');
}

test('a second server on the same folder is refused and told who the first one is', async () => {
  const first = await holdFromOutside();
  const refused: unknown = await lockFolder(folder, clock).catch((error) => error);
  if (!(refused instanceof FolderLocked)) throw refused;
  expect(refused.holder).toMatchObject({
    pid: first.pid,
    host: hostname(),
    address: 'http://127.0.0.1:5999',
  });
  for (const named of [folder, `process ${first.pid}`, hostname(), 'http://127.0.0.1:5999'])
    expect(refused.message).toContain(named);
});

test('a second lock in the same process is refused too', async () => {
  const lock = await lockFolder(folder, clock);
  await expect(lockFolder(folder, clock)).rejects.toThrow(FolderLocked);
  await expect(lockFolder(folder, clock)).rejects.toThrow(`process ${process.pid}`);
  await lock.release();
});

test('kill -9 frees the folder', async () => {
  await kill(await holdFromOutside());
  const lock = await lockFolder(folder, clock);
  expect(await readHolder(folder)).toMatchObject({ pid: process.pid, address: null });
  await lock.release();
});

test('the name says when it began and, once announced, where it listens', async () => {
  const lock = await lockFolder(folder, clock);
  const name = { pid: process.pid, host: hostname(), started: '2026-05-01T00:00:00.000Z' };
  expect(await readHolder(folder)).toEqual({ ...name, address: null });
  await lock.announce('http://127.0.0.1:5000');
  expect(await readHolder(folder)).toEqual({ ...name, address: 'http://127.0.0.1:5000' });
  await lock.release();
});

test('a released folder has no name and can be taken again', async () => {
  const lock = await lockFolder(folder, clock);
  await lock.release();
  await lock.release();
  expect(await readHolder(folder)).toBeNull();
  expect(await readdir(folder)).toEqual(['lock.sqlite']);
  await (await lockFolder(folder, clock)).release();
});
