import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextEventLoopTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Kysely, SqliteDialect } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeFakeClock } from '../../../test/fixtures/fake-clock.ts';
import { systemClock } from '../../base/clock.ts';
import { DatabaseBusy, type Tx } from '../database.ts';
import type { Schema } from '../schema.ts';
import { openConnection, toKyselyDatabase } from './connection.ts';
import { openSqlite, type SqliteDatabase } from './sqlite.ts';
import { makeWriter, type Writer } from './writer.ts';

let folder: string;
let file: string;
let opened: SqliteDatabase[];
let children: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'firekeeper-writer-'));
  file = join(folder, 'firekeeper.sqlite');
  opened = [];
  children = [];
});
afterEach(async () => {
  for (const child of children) await end(child);
  for (const database of opened) await database.close();
  await rm(folder, { recursive: true });
});

async function open(clock = systemClock): Promise<SqliteDatabase> {
  const database = await openSqlite(file, clock);
  opened.push(database);
  return database;
}

/** A process of its own that has begun to write and does not stop. */
async function holdFromOutside(): Promise<ChildProcess> {
  const holder = fileURLToPath(new URL('../../../test/fixtures/hold-database.ts', import.meta.url));
  const child = spawn(process.execPath, [holder, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout!, 'data');
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.stdin?.end();
  await once(child, 'exit');
}

const put = (key: string) => (trx: Tx) => trx.insertInto('meta').values({ key, value: 'x' }).execute();

async function keysOf(database: SqliteDatabase): Promise<readonly string[]> {
  const rows = await database.read.selectFrom('meta').select('key').orderBy('key').execute();
  return rows.map((row) => row.key);
}

describe('batches', () => {
  test('writes that come together share one commit, and each has its own result', async () => {
    const database = await open();
    const before = database.stats();
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        database.write(async (trx) => {
          await put(`${index}`)(trx);
          return index;
        }),
      ),
    );
    expect(results).toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect(database.stats()).toEqual({ commits: before.commits + 1, jobs: before.jobs + 50 });
  });

  test('a batch is bounded', async () => {
    const database = await open();
    const before = database.stats().commits;
    await Promise.all(Array.from({ length: 300 }, (_, index) => database.write(put(`${index}`))));
    expect(database.stats().commits - before).toBe(3);
    expect(await keysOf(database)).toHaveLength(300);
  });

  test('a write that follows another one as soon as it is done is not left behind', async () => {
    const database = await open();
    for (let index = 0; index < 20; index += 1) await database.write(put(`${index}`));
    expect(await keysOf(database)).toHaveLength(20);
  });

  test('a job that fails is undone and does not fail its batch', async () => {
    const database = await open();
    const before = database.stats().commits;
    const outcomes = await Promise.allSettled([
      database.write(put('a')),
      database.write(async (trx) => {
        await put('b')(trx);
        throw new Error('after its write');
      }),
      database.write(put('a')),
      database.write(put('c')),
    ]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
    ]);
    expect(await keysOf(database)).toEqual(['a', 'c']);
    expect(database.stats().commits).toBe(before + 1);
  });

  test('nothing is to be read before it is committed', async () => {
    const database = await open();
    await database.write(async (trx) => {
      await put('a')(trx);
      expect(await keysOf(database)).toEqual([]);
    });
    expect(await keysOf(database)).toEqual(['a']);
  });

  test('closing lets what waits be written, and refuses what comes later', async () => {
    const database = await open();
    const written = Promise.all(Array.from({ length: 300 }, (_, index) => database.write(put(`${index}`))));
    await database.close();
    await written;
    await expect(database.write(put('late'))).rejects.toThrow('closed');
    expect(await keysOf(await open())).toHaveLength(300);
  });
});

describe('when SQLite fails', () => {
  let connection: DatabaseSync;
  let writer: Writer;
  beforeEach(() => {
    connection = openConnection(file, 'read-write');
    connection.exec('create table parent (id integer primary key, text text)');
    connection.exec('create table child (id integer references parent(id) deferrable initially deferred)');
    const trx = new Kysely<Schema>({
      dialect: new SqliteDialect({ database: toKyselyDatabase(connection) }),
    });
    writer = makeWriter(connection, trx, systemClock);
  });
  afterEach(() => connection.close());

  const run = (statement: string) => writer.write(async () => connection.exec(statement));
  const parents = () => connection.prepare('select id from parent').all().length;

  test('a commit that fails rejects all of its jobs, and the next one is none the worse', async () => {
    // A deferred foreign key is checked at the commit.
    const outcomes = await Promise.allSettled([
      run("insert into parent (text) values ('innocent')"),
      run('insert into child values (4711)'),
    ]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['rejected', 'rejected']);
    expect(parents()).toBe(0);
    await run("insert into parent (text) values ('later')");
    expect(parents()).toBe(1);
  });

  test('a full disk rejects what does not fit, and writing goes on when there is room', async () => {
    const pages = Number(connection.prepare('pragma page_count').get()?.page_count);
    connection.exec(`pragma max_page_count = ${pages + 2}`);
    const large = run(`insert into parent (text) values ('${'x'.repeat(1_000_000)}')`);
    await expect(large).rejects.toMatchObject({ errstr: 'database or disk is full' });
    connection.exec('pragma max_page_count = 100000');
    await run("insert into parent (text) values ('small')");
    expect(parents()).toBe(1);
  });
});

describe('a file that another process holds', () => {
  test('does not block the event loop, and is written when it is free', async () => {
    const database = await open();
    const holder = await holdFromOutside();
    let done = false;
    const written = Promise.all([database.write(put('a')), database.write(put('b'))]).then(() => {
      done = true;
    });
    // Turns of the event loop go by while the write waits: a blocked loop would not come this far before the release.
    for (let turn = 0; turn < 100; turn += 1) await nextEventLoopTurn();
    expect(await keysOf(database)).toEqual([]);
    expect(done).toBe(false);
    await end(holder);
    await written;
    expect(await keysOf(database)).toEqual(['a', 'b']);
  });

  test('is given up after a while; whoever came later waits on', async () => {
    const clock = makeFakeClock();
    const database = await open(clock);
    const holder = await holdFromOutside();
    const early = database.write(put('early'));
    early.catch(() => {});
    await clock.advance(2_000);
    const late = database.write(put('late'));
    await clock.advance(1_000);
    await expect(early).rejects.toThrow(DatabaseBusy);
    await end(holder);
    await clock.advance(100);
    await late;
    expect(await keysOf(database)).toEqual(['late']);
    expect(clock.pending()).toBe(0);
  });
});
