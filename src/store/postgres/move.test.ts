import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accept, conversationIn } from '../../../test/contract/rows.ts';
import { useEverything } from '../../../test/contract/use-everything.ts';
import { ask, type Cluster, hasNoPostgres, startCluster } from '../../../test/setup/postgres-cluster.ts';
import { makeTempFolder } from '../../../test/setup/temp.ts';
import { systemClock } from '../../base/clock.ts';
import type { Database } from '../database.ts';
import { lockFolder } from '../sqlite/lock.ts';
import { openSqlite } from '../sqlite/sqlite.ts';
import { makeStore, type Store } from '../store.ts';
import { moveToPostgres } from './move.ts';
import { openPostgres } from './postgres.ts';

const AWKWARD = 'Zażółć 🔥\n<b>\u0000\u001A0"\'';

describe.skipIf(hasNoPostgres)('a move from SQLite to Postgres', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.stop());

  const storeOn = (database: Database): Store =>
    makeStore(database, systemClock, { holder: 'first', leaseMs: 60_000 });
  const openTarget = (address: string) =>
    openPostgres(address, { clock: systemClock, log: { warn() {}, info() {} }, onTaken() {} });
  const move = (dataDir: string, databaseUrl: string) =>
    moveToPostgres({ dataDir, databaseUrl, clock: systemClock });

  /** A folder in which everything was used, and what is in it. */
  async function makeFolder(): Promise<{ readonly dataDir: string; readonly rows: Rows }> {
    const dataDir = makeTempFolder();
    const source = await openSqlite(join(dataDir, 'firekeeper.sqlite'), systemClock);
    await useEverything(storeOn(source));
    for (let index = 0; index < 700; index += 1)
      await accept(storeOn(source), { room: 5, text: `${AWKWARD} ${index}` });
    // The newest goes again: its id must not be given to another one.
    await source.write((trx) => trx.deleteFrom('inbox').where('text', '=', `${AWKWARD} 699`).execute());
    const rows = await readAll(source);
    await source.close();
    return { dataDir, rows };
  }

  test('copies every row of every table, and ids go on where they were', async () => {
    const { dataDir, rows } = await makeFolder();
    const address = await cluster.makeDatabase();
    const counts = Object.fromEntries(Object.entries(rows).map(([table, those]) => [table, those.length]));
    expect(await move(dataDir, address)).toEqual({ kind: 'moved', rows: counts });

    const target = await openTarget(address);
    expect(await readAll(target)).toEqual(rows);
    const newest = (await storeOn(target).inbox.counts()).total;
    expect(await accept(storeOn(target))).toBe(newest + 2);
    expect(await storeOn(target).inbox.peek(conversationIn(5))).toMatchObject({ text: `${AWKWARD} 0` });
    await target.close();
    expect(existsSync(join(dataDir, 'lock.json'))).toBe(false);
  });

  test('goes into an empty database only, and leaves another one alone', async () => {
    const { dataDir } = await makeFolder();
    const address = await cluster.makeDatabase();
    await ask(address, 'create table theirs (a int); insert into theirs values (1)');
    const refused = { kind: 'refused', reason: 'the Postgres database is not empty: theirs has rows' };
    expect(await move(dataDir, address)).toEqual(refused);
    expect(await ask(address, "select 1 from pg_class where relname = 'inbox'")).toEqual([]);

    const own = await cluster.makeDatabase();
    expect(await move(dataDir, own)).toMatchObject({ kind: 'moved' });
    expect(await move(dataDir, own)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('is not empty'),
    });
  });

  test('a server has been there and nobody has written to it: the database is still empty', async () => {
    const { dataDir } = await makeFolder();
    const address = await cluster.makeDatabase();
    await (await openTarget(address)).close();
    expect(await move(dataDir, address)).toMatchObject({ kind: 'moved' });
  });

  test('is refused while a server runs on either', async () => {
    const { dataDir } = await makeFolder();
    const address = await cluster.makeDatabase();
    const lock = await lockFolder(dataDir, systemClock);
    expect(await move(dataDir, address)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining(`in use by process ${process.pid}`),
    });
    await lock.release();
    const target = await openTarget(address);
    expect(await move(dataDir, address)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('in use by another Firekeeper'),
    });
    await target.close();
  });

  test('leaves nothing behind when it fails, and can be done again', async () => {
    const { dataDir } = await makeFolder();
    const address = await cluster.makeDatabase();
    const file = new DatabaseSync(join(dataDir, 'firekeeper.sqlite'));
    // Nothing writes fractions of a millisecond; SQLite would take them, Postgres does not.
    file.exec('update turns set ended_at = 1.5');
    expect(await move(dataDir, address)).toEqual({
      kind: 'refused',
      reason: 'Postgres says: a value was refused (22P02)',
    });
    expect(
      await ask(
        address,
        'select (select count(*)::int from inbox) as inbox, (select count(*)::int from ledger) as ledger',
      ),
    ).toEqual([{ inbox: 0, ledger: 0 }]);
    file.exec('update turns set ended_at = 1');
    file.close();
    expect(await move(dataDir, address)).toMatchObject({ kind: 'moved' });
  });

  test('is refused without a database, or without a Postgres', async () => {
    expect(await move(makeTempFolder(), await cluster.makeDatabase())).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('there is no database in '),
    });
    const { dataDir } = await makeFolder();
    const elsewhere = new URL(await cluster.makeDatabase());
    elsewhere.password = 'a-wrong-one-entirely';
    const refused = await move(dataDir, elsewhere.href);
    expect(refused).toMatchObject({ reason: expect.stringContaining('password authentication failed') });
    expect(JSON.stringify(refused)).not.toContain('a-wrong-one-entirely');
  });
});

type Rows = Readonly<Record<string, readonly unknown[]>>;

/** By table, in an order that is the same everywhere. */
async function readAll({ read }: Database): Promise<Rows> {
  const tables = (await read.introspection.getTables()).map(({ name }) => name).sort();
  const all: Record<string, readonly unknown[]> = {};
  for (const table of tables) {
    const rows = await read
      .selectFrom(table as 'meta')
      .selectAll()
      .execute();
    const texts = rows
      .filter(({ key }) => key !== 'server')
      .map((row) => JSON.stringify(Object.entries(row).sort()));
    all[table] = texts.sort();
  }
  return all;
}
