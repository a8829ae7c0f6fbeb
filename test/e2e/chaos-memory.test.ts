import { expect, test } from 'vitest';
import { runMemory } from '../../chaos/setup/run-memory.ts';

test('a minute of rooms that write in turn stays within the budget, and everybody is answered and remembered', async () => {
  const findings = await runMemory({ rooms: 14, seconds: 60, budgetMb: 1_200 });
  expect(findings.filter(({ holds }) => !holds)).toEqual([]);
  const evicted = findings.find(({ what }) => what === 'turns that started warm');
  expect(Number(evicted?.found)).toBeGreaterThan(0);
}, 180_000);
