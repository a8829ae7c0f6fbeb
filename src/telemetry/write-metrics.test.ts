import { expect, test } from 'vitest';
import { makeMetrics } from './metrics.ts';
import { collectWrites } from './write-metrics.ts';

test('writes and the commits that they shared are read anew at each look', async () => {
  const metrics = makeMetrics();
  const stats = { commits: 2, jobs: 7 };
  collectWrites(metrics, () => stats);
  await metrics.registry.metrics();
  stats.jobs = 9;
  const told = await metrics.registry.metrics();
  expect(told).toContain('firekeeper_database_commits_total 2\n');
  expect(told).toContain('firekeeper_database_writes_total 9\n');
});
