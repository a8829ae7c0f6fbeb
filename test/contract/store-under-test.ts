import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
