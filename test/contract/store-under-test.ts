import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { systemClock } from '../../src/base/clock.ts';
import { openPostgres } from '../../src/store/postgres/postgres.ts';
import { openSqlite } from '../../src/store/sqlite/sqlite.ts';
import { type Database, makeStore, type Store } from '../../src/store/store.ts';
import { type FakeClock, makeFakeClock } from '../fixtures/fake-clock.ts';

export const LEASE_MS = 30_000;

/** A store on a database of its own, and other servers on the same one. */
export type StoreUnderTest = {
  readonly store: Store;
  readonly clock: FakeClock;
  /** To look at what no port shows. */
  readonly database: Database;
  /** A store of another process: same database, other holder. */
  another(holder: string): Store;
  close(): Promise<void>;
};

/** One for each backend; every contract runs on all of them. */
export type MakeStoreUnderTest = () => Promise<StoreUnderTest>;

export async function makeSqliteUnderTest(): Promise<StoreUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'firekeeper-store-'));
  const clock = makeFakeClock();
  const database = await openSqlite(join(folder, 'firekeeper.sqlite'), clock);
  const another = (holder: string): Store => makeStore(database, clock, { holder, leaseMs: LEASE_MS });
  return {
    store: another('first'),
    clock,
    database,
    another,
    async close() {
      await database.close();
      await rm(folder, { recursive: true });
    },
  };
}

export type PostgresStores = {
  readonly make: MakeStoreUnderTest;
  close(): Promise<void>;
};

/**
 * Stores on databases of one cluster; a database that is not used any more is emptied and given out again. The stores'
 * clock stands still, the databases' does not.
 */
export function makePostgresStores(makeDatabase: () => Promise<string>): PostgresStores {
  const opened: Database[] = [];
  const free: Database[] = [];

  async function open(): Promise<Database> {
    const log = { warn() {}, info() {} };
    const options = { clock: systemClock, log, onTaken() {}, exclusive: false };
    const database = await openPostgres(await makeDatabase(), options);
    opened.push(database);
    return database;
  }

  return {
    async make() {
      const database = free.pop() ?? (await open());
      const clock = makeFakeClock();
      const another = (holder: string): Store => makeStore(database, clock, { holder, leaseMs: LEASE_MS });
      return {
        store: another('first'),
        clock,
        database,
        another,
        async close() {
          await empty(database);
          free.push(database);
        },
      };
    },
    async close() {
      await Promise.all(opened.map((database) => database.close()));
    },
  };
}

async function empty({ read }: Database): Promise<void> {
  const tables = await read.introspection.getTables();
  const names = sql.join(tables.map((table) => sql.table(table.name)));
  await sql`truncate ${names} restart identity`.execute(read);
}
