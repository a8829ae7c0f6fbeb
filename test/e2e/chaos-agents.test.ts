import { expect, test } from 'vitest';
import { runAgents } from '../../chaos/setup/run-agents.ts';

test('while agents are killed at random no reply is lost, in a wrong room or a turn behind', async () => {
  const findings = await runAgents({
    turns: 50,
    conversations: 8,
    atOnce: 3,
    killEveryMs: 700,
    warmUp: 0,
    mostGrowth: null,
    seed: 7,
  });
  expect(findings.filter(({ holds }) => !holds)).toEqual([]);
}, 180_000);
