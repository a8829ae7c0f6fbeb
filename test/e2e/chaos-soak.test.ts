import { expect, test } from 'vitest';
import { runSoak } from '../../chaos/setup/run-soak.ts';

test('five hundred turns leave no handle, no waiting row and no table that grows without bound', async () => {
  const run = { turns: 500, rooms: 5, atOnce: 5, warmUp: 100, mostGrowth: null };
  const findings = await runSoak(run);
  expect(findings.filter(({ holds }) => !holds)).toEqual([]);
}, 240_000);
