import { expect, test } from 'vitest';
import { runKill } from '../../chaos/setup/run-kill.ts';

test('while the server is killed again and again, every accepted message has exactly one end, in order', async () => {
  const pace = { messages: 50, rooms: 5, pauseMs: 2_500, killAfterMs: [2_000, 4_000] } as const;
  const run = { ...pace, seed: 3, judgesTimes: false };
  const findings = await runKill(run);
  expect(findings.filter(({ holds }) => !holds)).toEqual([]);
  expect(Number(findings.find(({ what }) => what === 'kills')?.found)).toBeGreaterThan(0);
}, 240_000);
