import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import pg from 'pg';
import { afterEach, expect, test, vi } from 'vitest';
import { isPostgres } from '../../src/store/sql/locks.ts';
import type { Database, Store } from '../../src/store/store.ts';
import { hasNoPostgres, startCluster } from '../setup/postgres-cluster.ts';
import { claim, makeProject } from './project-rows.ts';
import { makePostgresStores, makeSqliteUnderTest } from './store-under-test.ts';

const PROJECTS = 500;
const WAITING = 20;

afterEach(() => vi.restoreAllMocks());

/** Every project waits with as many updates as may; half of them are frozen, and each has run twenty before. */
async function fill(store: Store, database: Database): Promise<void> {
  await makeProject(store, 'p0');
  await database.write(async (trx) => {
    const run = (query: ReturnType<typeof sql>) => trx.getExecutor().executeQuery(query.compile(trx));
    await run(sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${PROJECTS - 1})
      insert into projects (id, name, owner_id, state, policy, created_at)
      select 'p' || i, 'p', 'owner', case when i <= 250 then 'frozen' else 'active' end, '{}', 0 from n`);
    await run(sql`insert into project_heads (project_id, revision)
      select id, 0 from projects where id <> 'p0'`);
    for (const [status, finished] of [
      ['completed', 1],
      ['queued', null],
    ] as const)
      await run(sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${WAITING})
        insert into updates (project_id, user_id, kind, options, idempotency_key, digest, status, attempt, degraded,
          fix_turns, queued_at, finished_at)
        select id, 'jane', 'update', '{}', ${status} || i, 'd', ${status}, 0, '[]', 0, 0, ${sql.raw(String(finished))}
        from projects cross join n where id <> 'p0'`);
  });
  if (isPostgres(database.read)) await sql`analyze`.execute(database.read);
}

test('a claim among ten thousand waiting updates reads no row of another kind on SQLite', async () => {
  const under = await makeSqliteUnderTest();
  await fill(under.store, under.database);
  const prepared = vi.spyOn(DatabaseSync.prototype, 'prepare');
  const { project } = await claim(under.store);
  expect(project.state).toBe('active');
  const connection = prepared.mock.contexts[0] as DatabaseSync;
  const searches = prepared.mock.calls
    .map(([statement]) => statement)
    .filter((statement) => statement.includes('"updates" as "next"'))
    .map((statement) =>
      connection
        .prepare(`explain query plan ${statement}`)
        .all()
        .map(({ detail }) => String(detail)),
    );
  expect(searches).toHaveLength(2);
  const [left, queued] = searches;
  expect(left).toContainEqual(expect.stringMatching(/^SEARCH next USING INDEX updates_open_queue/));
  expect(queued).toContainEqual(expect.stringMatching(/^SEARCH next USING INDEX updates_open_queue/));
  expect(queued).toContainEqual(
    expect.stringMatching(/^SEARCH ahead USING COVERING INDEX updates_open_lines/),
  );
  // The first that may run ends the search: nothing is sorted.
  expect(queued?.join()).not.toMatch(/SCAN|TEMP B-TREE/);
  await under.close();
});

test.skipIf(hasNoPostgres)(
  'a claim among ten thousand waiting updates reads them by their indexes on Postgres',
  async () => {
    const cluster = await startCluster();
    const address = await cluster.makeDatabase();
    const stores = makePostgresStores(async () => address);
    const client = new pg.Client({ connectionString: address });
    try {
      const under = await stores.make();
      await fill(under.store, under.database);
      const queried = vi.spyOn(pg.Client.prototype, 'query');
      const { project } = await claim(under.store);
      expect(project.state).toBe('active');
      const calls: (readonly unknown[])[] = queried.mock.calls;
      const searches = calls.filter(([statement]) => String(statement).includes('"updates" as "next"'));
      vi.restoreAllMocks();
      expect(searches).toHaveLength(2);
      await client.connect();
      for (const [statement, parameters] of searches) {
        const { rows } = await client.query(`explain ${statement}`, parameters as unknown[]);
        const plan = rows.map((row) => String(row['QUERY PLAN'])).join('\n');
        expect(plan).toMatch(/Index (Only )?Scan using updates_open_(queue|holder)/);
        expect(plan).not.toMatch(/Seq Scan on updates/);
      }
    } finally {
      await client.end();
      await stores.close();
      await cluster.stop();
    }
  },
);
