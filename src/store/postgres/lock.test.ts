import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../../../test/e2e/server.ts';
import { startWire, type Wire } from '../../../test/fixtures/postgres-wire.ts';
import { ask, type Cluster, hasNoPostgres, startCluster } from '../../../test/setup/postgres-cluster.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { type Database, DatabaseBusy, type Tx } from '../database.ts';
import { DatabaseTaken } from './lock.ts';
import { openPostgres } from './postgres.ts';

/** Its heart beats twenty times as fast. */
const quick: Clock = {
  ...systemClock,
  every: (periodMs, work) => systemClock.every(periodMs / 20, work),
  after: (delayMs, work) => systemClock.after(delayMs / 20, work),
};

const put = (key: string) => (trx: Tx) => trx.insertInto('meta').values({ key, value: 'x' }).execute();

describe.skipIf(hasNoPostgres)('the one server of a Postgres database', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.stop());

  const open: Database[] = [];
  afterEach(async () => {
    for (const database of open.splice(0)) await database.close();
  });

  async function openAt(
    address: string,
    onTaken: (error: DatabaseTaken) => void = () => {},
    clock: Clock = systemClock,
  ) {
    const database = await openPostgres(address, {
      clock,
      log: { warn() {}, info() {} },
      onTaken,
    });
    open.push(database);
    return database;
  }

  async function wireTo(address: string): Promise<Wire> {
    const wire = await startWire(address);
    onTestFinished(() => wire.close());
    return wire;
  }

  /** Sessions of the database that hold an advisory lock. */
  const holders = (address: string) =>
    ask(
      address,
      `select pid from pg_locks where locktype = 'advisory'
        and database = (select oid from pg_database where datname = current_database())`,
    );

  test('refuses a second one, which is told who the first one is', async () => {
    const address = await cluster.makeDatabase();
    await openAt(address);
    const refused: unknown = await openAt(address).catch((error) => error);
    expect(refused).toBeInstanceOf(DatabaseTaken);
    expect(String(refused)).toContain(`process ${process.pid} on `);
    expect(String(refused)).not.toContain(address);
  });

  test('leaves the database free when it closes', async () => {
    const address = await cluster.makeDatabase();
    const first = await openAt(address);
    await first.close();
    await first.close();
    expect(await holders(address)).toEqual([]);
    await openAt(address);
  });

  test('leaves it free when it is killed', async () => {
    const address = await cluster.makeDatabase();
    const holder = fileURLToPath(new URL('../../../test/fixtures/hold-postgres.ts', import.meta.url));
    const child = spawn(process.execPath, [holder, address], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    expect(await holders(address)).toHaveLength(1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await openAt(address);
  });

  test('goes on when only the connection of its lock was ended', async () => {
    const address = await cluster.makeDatabase();
    const database = await openAt(address);
    for (let time = 1; time <= 3; time += 1) {
      await ask(
        address,
        `select pg_terminate_backend(pid) from pg_stat_activity
          where application_name like 'firekeeper lock %' and datname = current_database()`,
      );
      await waitFor(async () => ((await holders(address)).length === 1 ? true : null));
      await database.write(put(`${time}`), { patience: 'long' });
    }
  });

  test('takes the lock from a session of its own that went silent', async () => {
    const address = await cluster.makeDatabase();
    const wire = await wireTo(address);
    const database = await openAt(wire.address, () => {}, quick);
    const [before] = await holders(address);
    wire.silence();
    // Half a minute would pass until Postgres noticed; the heartbeat is sooner.
    const now = await waitFor(async () => {
      const [holder] = await holders(address);
      return holder !== undefined && holder.pid !== before?.pid ? holder : null;
    });
    expect(await holders(address)).toEqual([now]);
    await database.write(put('after'), { patience: 'long' });
  });

  test('gives up when another one has taken over while it was cut off, also when that one is gone', async () => {
    for (const other of ['is there', 'is gone'] as const) {
      const address = await cluster.makeDatabase();
      const wire = await wireTo(address);
      let told: (error: DatabaseTaken) => void = () => {};
      const taken = new Promise<DatabaseTaken>((resolve) => {
        told = resolve;
      });
      const database = await openAt(wire.address, told);
      await database.write(put('mine'));
      wire.cut();
      const second = await openAt(address);
      await second.write(put('theirs'));
      await expect(database.write(put('not any more'))).rejects.toThrow(DatabaseBusy);
      if (other === 'is gone') await second.close();
      wire.mend();
      expect((await taken).message).toContain('in use by another Firekeeper');
      await expect(database.write(put('never'))).rejects.toThrow(DatabaseTaken);
      expect(await ask(address, "select key from meta where key <> 'server' order by key")).toEqual([
        { key: 'mine' },
        { key: 'theirs' },
      ]);
    }
  });
});
