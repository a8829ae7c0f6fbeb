import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runPostgres } from '../../chaos/setup/run-postgres.ts';
import { type Cluster, hasNoPostgres, startCluster } from '../setup/postgres-cluster.ts';

describe.skipIf(hasNoPostgres)('a Postgres that stops, crashes and starts under load', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.stop());

  it('costs no message, and no room reads an answer twice or out of order', async () => {
    const run = {
      ...{ messages: 200, rooms: 8, pauseMs: 600, seed: 5 },
      upMs: [1_500, 3_000],
      downMs: [200, 2_000],
    } as const;
    const findings = await runPostgres(run, cluster);
    expect(findings.filter(({ holds }) => !holds)).toEqual([]);
    expect(Number(findings.find(({ what }) => what === 'restarts of Postgres')?.found)).toBeGreaterThan(1);
  }, 240_000);
});
