/** A backup of a running server, and another server that goes on from it. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../setup/root.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { startServer, waitFor } from './server.ts';

function firekeeper(dataDir: string, ...args: readonly string[]): Promise<{ code: number; said: string }> {
  const env = { PATH: process.env.PATH, DATA_DIR: dataDir };
  return new Promise((resolve) => {
    execFile(process.execPath, ['src/cli/cli.ts', ...args], { cwd: ROOT, env }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), said: out + err }),
    );
  });
}

it('conversations go on warm from a backup that was made while the server ran', async () => {
  const first = await startServer();
  await first.say(1, 'our project is called Lighthouse');
  await first.replies(1, 1);
  const file = join(makeTempFolder(), 'backup');
  expect(await firekeeper(first.dataDir, 'backup', file)).toMatchObject({ code: 0 });
  await first.say(1, 'this comes too late for the backup');
  await first.replies(1, 2);

  const refused = await firekeeper(first.dataDir, 'restore', file, '--force');
  expect(refused).toMatchObject({ code: 1, said: expect.stringContaining(`listening on ${first.url}`) });
  expect(readFileSync(file, 'latin1')).not.toContain(first.adminToken);

  // The first server still runs: the second one's start must not take its agents for its own leftovers.
  const dataDir = makeTempFolder();
  expect(await firekeeper(dataDir, 'restore', file)).toMatchObject({ code: 0 });
  const second = await startServer({ dataDir });
  expect(second.adminToken).not.toBe(first.adminToken);
  await second.say(1, 'what did I say before?');
  const answer = await waitFor(async () => {
    const [, ...newer] = (await second.repliesSoFar(1)).filter(({ text }) => text.includes('You said:'));
    return newer[0]?.text ?? null;
  });
  expect(answer).toContain('Lighthouse');
  expect(answer).not.toContain('too late');
  expect((await second.turns(1)).map(({ tier }) => tier)).toEqual(['warm', 'cold']);
  await first.say(1, 'are you still there?');
  await waitFor(async () => ((await first.turns(1)).length === 3 ? true : null));
  expect((await first.turns(1)).map(({ tier }) => tier)).toEqual(['hot', 'hot', 'cold']);
});
