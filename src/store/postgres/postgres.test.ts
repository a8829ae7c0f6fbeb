import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  accept,
  conversationIn,
  leaseOf,
  messageOf,
  recordOf,
  replyIn,
} from '../../../test/contract/rows.ts';
import { startWire, type Wire } from '../../../test/fixtures/postgres-wire.ts';
import { ask, type Cluster, hasNoPostgres, startCluster } from '../../../test/setup/postgres-cluster.ts';
import { systemClock } from '../../base/clock.ts';
import { LeaseLost } from '../../base/errors.ts';
import { newEntryId } from '../../base/ids.ts';
import { roomId } from '../../base/terms.ts';
import { CommitUnknown, type Database, DatabaseBusy, type Tx } from '../database.ts';
import { DatabaseTooNew, makeStore, type Store } from '../store.ts';
import { openPostgres, type PostgresOptions } from './postgres.ts';
import { probePostgres } from './probe.ts';

const LEASE_MS = 60_000;

describe.skipIf(hasNoPostgres)('a Postgres database', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.stop());

  const open: Database[] = [];
  afterEach(async () => {
    for (const database of open.splice(0)) await database.close();
  });

  async function openAt(address: string, options: Partial<PostgresOptions> = {}): Promise<Database> {
    const log = { warn() {}, info() {} };
    const database = await openPostgres(address, { clock: systemClock, log, onTaken() {}, ...options });
    open.push(database);
    return database;
  }

  /** Two servers that work on one database, as none of ours may outside of a test. */
  async function openTwo(): Promise<readonly [Store, Store, address: string]> {
    const address = await cluster.makeDatabase();
    const databases = [
      await openAt(address, { exclusive: false }),
      await openAt(address, { exclusive: false }),
    ] as const;
    const [first, second] = databases.map((database, index) =>
      makeStore(database, systemClock, { holder: `server ${index}`, leaseMs: LEASE_MS }),
    );
    if (first === undefined || second === undefined) throw new Error('two are two');
    return [first, second, address];
  }

  async function wireTo(address: string): Promise<Wire> {
    const wire = await startWire(address);
    onTestFinished(() => wire.close());
    return wire;
  }

  const put =
    (key: string, value = 'x') =>
    (trx: Tx) =>
      trx.insertInto('meta').values({ key, value }).execute();

  async function keysOf(database: Database): Promise<readonly string[]> {
    const rows = await database.read.selectFrom('meta').select('key').where('key', '!=', 'server').execute();
    return rows.map(({ key }) => key).sort();
  }

  describe('that is opened', () => {
    test('syncs every commit to disk, whatever the database says by itself', async () => {
      const address = await cluster.makeDatabase();
      const name = new URL(address).pathname.slice(1);
      await ask(address, `alter database ${name} set synchronous_commit = off`);
      const database = await openAt(address);
      const setting = sql<{ setting: string }>`select current_setting('synchronous_commit') as setting`;
      const { rows } = await database.write((trx) =>
        trx.getExecutor().executeQuery<{ setting: string }>(setting.compile(trx)),
      );
      expect(rows).toEqual([{ setting: 'on' }]);
    });

    test('is refused when it cannot keep every script', async () => {
      const address = await cluster.makeDatabase();
      const ascii = new URL(address);
      ascii.pathname = '/ascii';
      await ask(address, "create database ascii encoding 'SQL_ASCII' template template0");
      await expect(openAt(ascii.href)).rejects.toThrow('it keeps its text as SQL_ASCII');
    });

    test('is refused and left as it is when a newer version has made it', async () => {
      const address = await cluster.makeDatabase();
      await (await openAt(address)).close();
      await ask(
        address,
        `insert into kysely_migration values ('0999_from_the_future', '2030-01-01T00:00:00.000Z')`,
      );
      await expect(openAt(address)).rejects.toThrow(DatabaseTooNew);
    });

    test('is probed without leaving a trace', async () => {
      const address = await cluster.makeDatabase();
      const probe = () => probePostgres(address, systemClock);
      const usable = { kind: 'usable', version: expect.stringMatching(/^\d+(\.\d+)?$/), isDurable: false };
      expect(await probe()).toEqual({ ...usable, isTaken: false });
      expect(await ask(address, "select 1 from pg_class where relname = 'inbox'")).toEqual([]);
      await openAt(address);
      expect(await probe()).toEqual({ ...usable, isTaken: true });
      const nowhere = new URL(address);
      nowhere.pathname = '/nowhere';
      expect(await probePostgres(nowhere.href, systemClock)).toEqual({
        kind: 'unusable',
        reason: 'Postgres says: database "nowhere" does not exist (3D000)',
      });
    });

    test('shares its database with schemas of others, their migrations too', async () => {
      const address = await cluster.makeDatabase();
      await ask(address, 'create schema theirs; create table theirs.kysely_migration (name text)');
      await ask(address, 'create schema ours');
      const database = await openAt(`${address}?options=-c%20search_path%3Dours`);
      await database.write(put('a'));
      expect(await ask(address, 'select key from ours.meta order by key')).toEqual([
        { key: 'a' },
        { key: 'server' },
      ]);
      // Another schema is another server's.
      await openAt(address);
    });

    test('tells no password when it is refused', async () => {
      const address = new URL(await cluster.makeDatabase());
      address.password = 'a-wrong-one-entirely';
      const refused: unknown = await openAt(address.href).catch((error) => error);
      expect(refused).toMatchObject({ message: expect.stringContaining('password authentication failed') });
      expect(JSON.stringify(refused) + String(refused)).not.toContain('a-wrong-one-entirely');
    });
  });

  describe('with two servers', () => {
    test('lets one of them pass a fence: a lease cannot be taken in the middle of a turn that settles', async () => {
      const [first, second, address] = await openTwo();
      const id = await accept(first);
      const lease = await leaseOf(first);
      await first.inbox.claim(lease, 'one', newEntryId());
      let goOn = (): void => {};
      const looked = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      const settled = first.turns.transaction(lease, async (tx) => {
        await looked;
        await tx.inbox.settle([id], 'answered');
      });
      const seized = second.leases.seize(lease.conversation);
      await untilSomebodyWaits(address);
      goOn();
      await settled;
      expect((await seized).fence).toBe(lease.fence + 1);
      await expect(
        first.turns.transaction(lease, (tx) => tx.outbox.add([replyIn(1, 'late')])),
      ).rejects.toThrow(LeaseLost);
    });

    test('gives a conversation to one of them', async () => {
      const stores = await openTwo();
      for (let room = 1; room <= 20; room += 1) {
        const taken = await Promise.all(
          [stores[0], stores[1], stores[0], stores[1]].map((store) =>
            store.leases.acquire(conversationIn(room)),
          ),
        );
        expect(taken.filter((lease) => lease !== null)).toHaveLength(1);
      }
    });

    test('stores a webhook once that comes to both at once', async () => {
      const [first, second] = await openTwo();
      for (let messageId = 1; messageId <= 10; messageId += 1) {
        const message = messageOf({ messageId: String(messageId) });
        const outcomes = await Promise.all(
          Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? first : second).inbox.accept(message)),
        );
        expect(outcomes.filter(({ kind }) => kind === 'accepted')).toHaveLength(1);
      }
      expect(await first.inbox.counts()).toMatchObject({ waiting: 10 });
    });

    test('keeps the appends of both to one session, one after the other', async () => {
      const address = await cluster.makeDatabase();
      // The same holder twice: as if a lease were passed on while its former holder still writes.
      const open = async () => {
        const database = await openAt(address, { exclusive: false });
        return makeStore(database, systemClock, { holder: 'one', leaseMs: LEASE_MS });
      };
      const [first, second] = [await open(), await open()];
      const lease = await leaseOf(first);
      const { sessionId } = recordOf(1);
      await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          (index % 2 === 0 ? first : second).transcripts.append(lease, sessionId, null, [
            { type: 'user', uuid: newEntryId(), text: `${index}` },
          ]),
        ),
      );
      expect(await first.transcripts.load(sessionId, null)).toHaveLength(40);
    });

    test('shows no message of a room below one that was read already', async () => {
      const [first, second] = await openTwo();
      const room = roomId(1);
      const message = {
        roomId: room,
        author: { id: '7', name: 'Jane', isBot: false },
        html: '',
        plainText: '',
        createdAt: 1,
      };
      let all = false;
      const added = Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          (index % 2 === 0 ? first : second).roomMessages.add(message),
        ),
      ).finally(() => {
        all = true;
      });
      const read: number[] = [];
      for (let wasLast = false; !wasLast; ) {
        wasLast = all;
        const newer = await first.roomMessages.list(room, read.at(-1) ?? 0, 1_000);
        read.push(...newer.map(({ id }) => id));
      }
      expect(read).toEqual((await added).map(({ id }) => id).sort((a, b) => a - b));
    });
  });

  describe('under way', () => {
    test('a transaction that Postgres undoes for the sake of another one runs again', async () => {
      const [, , address] = await openTwo();
      const database = await openAt(address, { exclusive: false });
      for (const key of ['a', 'b']) await database.write(put(key));
      const set = (trx: Tx, key: string) =>
        trx.updateTable('meta').set({ value: 'y' }).where('key', '=', key).execute();
      const arrived: (() => void)[] = [];
      const bothHaveOne = new Promise<void>((resolve) => {
        arrived.push(() => {}, resolve);
      });
      let runs = 0;
      const crosswise = (first: string, then: string) =>
        database.write(
          async (trx) => {
            runs += 1;
            await set(trx, first);
            arrived.shift()?.();
            await bothHaveOne;
            await set(trx, then);
          },
          { patience: 'long' },
        );
      await Promise.all([crosswise('a', 'b'), crosswise('b', 'a')]);
      expect(runs).toBe(3);
    });

    test('a failed statement undoes the transaction, even when its work goes on as if nothing had been', async () => {
      const database = await openAt(await cluster.makeDatabase());
      await database.write(put('a'));
      const written = database.write(async (trx) => {
        await put('b')(trx);
        await put('a', 'some secret of the room')(trx).catch(() => {});
      });
      const error: unknown = await written.catch((thrown) => thrown);
      expect(error).toMatchObject({
        message: 'Postgres says: a value was refused by meta, meta_pkey (23505)',
      });
      expect(JSON.stringify(error)).not.toContain('secret');
      expect(await keysOf(database)).toEqual(['a']);
    });

    test('a statement after the end of its transaction is refused', async () => {
      const database = await openAt(await cluster.makeDatabase());
      const escaped = await database.write(async (trx) => ({ trx }));
      await expect(put('late')(escaped.trx)).rejects.toThrow('after the end of its transaction');
    });

    test('a COMMIT that nobody answers is told as such and never repeated', async () => {
      const wire = await wireTo(await cluster.makeDatabase());
      const database = await openAt(wire.address, { exclusive: false });
      await database.write(put('before'));
      wire.loseNextCommit();
      let runs = 0;
      const written = database.write((trx) => {
        runs += 1;
        return put('once')(trx);
      });
      await expect(written).rejects.toThrow(CommitUnknown);
      expect(runs).toBe(1);
      expect(await keysOf(database)).toEqual(['before', 'once']);
    });

    test("a lease that was perhaps taken or given up stands in nobody's way", async () => {
      const wire = await wireTo(await cluster.makeDatabase());
      const database = await openAt(wire.address, { exclusive: false });
      const store = makeStore(database, systemClock, { holder: 'one', leaseMs: LEASE_MS });
      wire.loseNextCommit();
      await expect(store.leases.acquire(conversationIn(1))).rejects.toThrow(CommitUnknown);
      const lease = await leaseOf(store);
      expect(lease.fence).toBe(2);
      wire.loseNextCommit();
      await store.leases.release(lease);
      expect((await leaseOf(store)).fence).toBe(3);
    });

    test('a reply is told twice to have been sent, when nobody answered the first time', async () => {
      const wire = await wireTo(await cluster.makeDatabase());
      const database = await openAt(wire.address, { exclusive: false });
      const { outbox } = makeStore(database, systemClock, { holder: 'one', leaseMs: LEASE_MS });
      await outbox.add([replyIn(1, 'a')]);
      const [reply] = await outbox.claim(systemClock.now(), new Set(), 1);
      const finish = (platformId: string) => outbox.finish(reply!.id, { kind: 'sent', platformId });
      wire.loseNextCommit();
      await expect(finish('9')).rejects.toThrow(CommitUnknown);
      await finish('9');
      await expect(finish('10')).rejects.toThrow('has ended already');
    });

    test('a lost connection before COMMIT runs the work again', async () => {
      const wire = await wireTo(await cluster.makeDatabase());
      const database = await openAt(wire.address, { exclusive: false });
      let runs = 0;
      await database.write(async (trx) => {
        runs += 1;
        await put(`run ${runs}`)(trx);
        if (runs === 1) wire.cut();
        wire.mend();
        await put('after')(trx);
      });
      expect(await keysOf(database)).toEqual(['after', 'run 2']);
    });

    test('writes of a lane are made in the order of their calls, others beside them', async () => {
      const database = await openAt(await cluster.makeDatabase());
      const order: number[] = [];
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          database.write(
            async (trx) => {
              await put(`${index}`)(trx);
              order.push(index);
            },
            { lane: 'one' },
          ),
        ),
      );
      expect(order).toEqual(order.toSorted((a, b) => a - b));
    });
  });

  describe('when Postgres stops', () => {
    test.each(['fast', 'immediate'] as const)(
      'writes and reads fail soon, and go on when it is back (%s)',
      async (how) => {
        const database = await openAt(await cluster.makeDatabase());
        await database.write(put('before'));
        await cluster.stop(how);
        try {
          await expect(database.write(put('meanwhile'))).rejects.toThrow(DatabaseBusy);
          await expect(keysOf(database)).rejects.toThrow(DatabaseBusy);
          // A patient one waits, and is written when it is back.
          const patient = database.write(put('patient'), { patience: 'long' });
          await cluster.start();
          await patient;
        } finally {
          await cluster.start();
        }
        await database.write(put('after'));
        expect(await keysOf(database)).toEqual(['after', 'before', 'patient']);
      },
    );
  });
});

/** Until a session of the database waits for a lock of another one. */
async function untilSomebodyWaits(address: string): Promise<void> {
  for (let look = 0; look < 200; look += 1) {
    const rows = await ask(
      address,
      "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
    );
    if (rows.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('nobody waits');
}
