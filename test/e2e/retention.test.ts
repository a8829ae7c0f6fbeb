/** A server that keeps nothing for longer than it should. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { makeMovableClock, startApp } from './app.ts';
import { waitFor } from './server.ts';

const DAY = 24 * 3_600_000;
const RETENTION_PERIOD = 5 * 60_000;

it('a conversation that nobody came back to is gone after RETENTION_DAYS, with its workspace', async () => {
  const movable = makeMovableClock(systemClock.now());
  const runs: (() => void)[] = [];
  const clock = {
    ...movable,
    every(periodMs: number, work: () => void) {
      if (periodMs === RETENTION_PERIOD) runs.push(work);
      return movable.every(periodMs, work);
    },
  };
  const dataDir = makeTempFolder();
  const app = await startApp({ clock, env: { DATA_DIR: dataDir, RETENTION_DAYS: '10' } });
  await app.say('1', 'hello');
  await app.replies('1', 1);
  const workspace = join(dataDir, 'workspaces/builtin/assistant/1');
  expect(existsSync(workspace)).toBe(true);
  const [session] = await app.parts.store.sessions.list(10);
  const remembered = () => app.parts.store.transcripts.load(session!.sessionId, null);
  expect(await remembered()).not.toBeNull();

  // A day of its time to live, and ten.
  movable.set(movable.now() + 11 * DAY);
  for (const run of runs) run();
  await waitFor(async () => ((await remembered()) === null ? true : null));
  await waitFor(async () => ((await app.parts.store.sessions.list(10)).length === 0 ? true : null));
  expect(existsSync(workspace)).toBe(false);
  await app.say('1', 'hello again');
  await app.replies('1', 1);
  const [turn] = await app.parts.store.turns.recent(null, 1);
  expect(turn).toMatchObject({ tier: 'cold' });
});
