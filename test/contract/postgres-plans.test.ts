import pg from 'pg';
import { expect, test, vi } from 'vitest';
import { hasNoPostgres, startCluster } from '../setup/postgres-cluster.ts';
import { makePostgresStores } from './store-under-test.ts';
import { useEverything } from './use-everything.ts';

/** Of tables that hold little, or when everything is asked for: what the plans on SQLite allow too. */
const MAY_SCAN = [
  /^delete from "agents" returning \*$/,
  /^select "conversation" from "sessions" where "state" != \$1$/,
];

test.skipIf(hasNoPostgres)('every statement has an index to go by on Postgres', async () => {
  const cluster = await startCluster();
  const address = await cluster.makeDatabase();
  const stores = makePostgresStores(async () => address);
  try {
    const under = await stores.make();
    const queried = vi.spyOn(pg.Client.prototype, 'query');
    await useEverything(under.store);
    const statements = new Map(
      queried.mock.calls.flatMap((call: readonly unknown[]): [string, unknown[]][] => {
        const [statement, parameters] = call;
        const isOurs = typeof statement === 'string' && /^(select|insert|update|delete) /.test(statement);
        return isOurs && Array.isArray(parameters) ? [[statement, parameters]] : [];
      }),
    );
    vi.restoreAllMocks();
    expect(statements.size).toBeGreaterThan(40);

    const client = new pg.Client({ connectionString: address });
    await client.connect();
    // So few rows are read from end to end if at all possible: what remains has no index that could serve it.
    await client.query('set enable_seqscan = off; set enable_sort = on');
    const scans: string[] = [];
    for (const [statement, parameters] of statements) {
      if (MAY_SCAN.some((known) => known.test(statement))) continue;
      const { rows } = await client.query(`explain ${statement}`, parameters);
      const plan = rows.map((row) => String(row['QUERY PLAN']));
      const scan = plan.find((line) => line.includes('Seq Scan'));
      if (scan !== undefined) scans.push(`${scan.trim()}: ${statement}`);
    }
    await client.end();
    expect(scans).toEqual([]);
  } finally {
    await stores.close();
    await cluster.stop();
  }
});
