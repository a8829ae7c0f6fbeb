/** The sweep of `chaos/crash-points.ts`, smaller: points that differ in what they leave behind. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CRASH_POINTS } from '../../chaos/setup/crash-points.ts';
import { type CrashRun, runCrashPoints } from '../../chaos/setup/run-crash-points.ts';
import { SCRIPTED_AGENT } from '../fixtures/scripted-agent.ts';
import { type Cluster, hasNoPostgres, startCluster } from '../setup/postgres-cluster.ts';

async function sweep(names: readonly string[], run: Omit<CrashRun, 'points' | 'atOnce'>) {
  const points = CRASH_POINTS.filter(({ name }) => names.includes(name));
  expect(points).toHaveLength(names.length);
  const findings = await runCrashPoints({ ...run, points, atOnce: 2 });
  expect(findings.filter(({ holds }) => !holds)).toEqual([]);
}

it(
  'loses nothing and says nothing twice where the server dies in a turn of Claude, on SQLite',
  () =>
    sweep(['after inbox.accept', 'after transcripts.append', 'within turns.transaction', 'after chat.send'], {
      agent: null,
      makeDatabase: null,
    }),
  240_000,
);

describe.skipIf(hasNoPostgres)('on Postgres', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.stop());

  it(
    'loses nothing and says nothing twice where the server dies in a turn of the scripted agent',
    () =>
      sweep(
        ['after sessions.begin', 'after inbox.claim', 'after turns.transaction', 'before leases.release'],
        {
          agent: SCRIPTED_AGENT,
          makeDatabase: cluster.makeDatabase,
        },
      ),
    240_000,
  );
});
