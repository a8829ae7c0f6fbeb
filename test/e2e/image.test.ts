/** What the image holds, put together without Docker, and started as the image starts it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findFreePort } from '../setup/free-port.ts';
import { listProductionPackages, readImage } from '../setup/image.ts';
import { ROOT } from '../setup/root.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { waitFor } from './server.ts';

const image = readImage();
let folder: string;
let env: NodeJS.ProcessEnv;
let port: number;
let server: ChildProcess;
let output = '';

beforeAll(async () => {
  folder = makeTempFolder();
  for (const path of image.files) cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  for (const name of [...listProductionPackages(), '.bin/node']) {
    const path = join('node_modules', name);
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(join(ROOT, path), join(folder, path));
  }
  port = await findFreePort();
  const given = { PORT: String(port), DATA_DIR: join(folder, 'data'), WEBHOOK_TOKEN: 'a-token' };
  env = { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR, ...image.env, ...given };
  const [program = '', ...args] = image.command;
  server = spawn(join(folder, program), args, { cwd: folder, env });
  for (const stream of [server.stdout, server.stderr]) stream?.on('data', (chunk) => (output += chunk));
  await waitFor(() => (output.includes('listens') ? true : null), { otherwise: () => output });
});
afterAll(async () => {
  if (server?.exitCode !== null) return;
  server.kill('SIGTERM');
  await once(server, 'exit');
});

/** The exit code of the image's own check. */
function checkHealth(): Promise<number> {
  const [program = '', ...args] = image.healthcheck;
  return new Promise((resolve) => {
    execFile(join(folder, program), args, { cwd: folder, env }, (error) =>
      resolve(error === null ? 0 : Number(error.code)),
    );
  });
}

test('a turn runs with what the image holds and nothing else', async () => {
  const answer = await fetch(`http://127.0.0.1:${port}/webhook?token=a-token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      creator: { id: 1, name: 'David' },
      room: { id: 1, name: 'Lounge' },
      content: 'hello',
    }),
  });
  expect(answer.status).toBe(200);
  const token = readFileSync(join(folder, 'data/admin-token'), 'utf8').trim();
  await waitFor(async () => {
    const room = await fetch(`http://127.0.0.1:${port}/local/rooms/1/messages`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return (await room.text()).includes('You said:') ? true : null;
  });
});

test('the check of its health tells a running server from one that is gone', async () => {
  expect(await checkHealth()).toBe(0);
  server.kill('SIGTERM');
  const [code] = await once(server, 'exit');
  expect(code).toBe(0);
  expect(await checkHealth()).toBe(1);
});
