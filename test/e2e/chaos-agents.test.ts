import { expect, test } from 'vitest';
import { runAgents } from '../../chaos/setup/run-agents.ts';
import { runMemory } from '../../chaos/setup/run-memory.ts';

const broken = (findings: Awaited<ReturnType<typeof runMemory>>) => findings.filter(({ holds }) => !holds);

test('a minute of rooms that write in turn stays within the budget, and everybody is answered and remembered', async () => {
  const findings = await runMemory({ rooms: 14, seconds: 60, budgetMb: 1_200 });
  expect(broken(findings)).toEqual([]);
  const evicted = findings.find(({ what }) => what === 'turns that started warm');
  expect(Number(evicted?.found)).toBeGreaterThan(0);
}, 180_000);

test('while agents are killed at random no reply is lost, in a wrong room or a turn behind', async () => {
  const findings = await runAgents({ turns: 80, conversations: 8, atOnce: 3, killEveryMs: 700, seed: 7 });
  expect(broken(findings)).toEqual([]);
}, 180_000);
