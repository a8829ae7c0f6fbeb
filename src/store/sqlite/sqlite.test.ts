import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { DatabaseTooNew } from '../store.ts';
import { openConnection } from './connection.ts';
import { openSqlite } from './sqlite.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'firekeeper-sqlite-'));
  file = join(folder, 'firekeeper.sqlite');
});
afterEach(() => rm(folder, { recursive: true }));

/** The file's tables and indexes, as SQLite wrote them down. */
function schemaOf(path: string): unknown {
  const connection = new DatabaseSync(path, { readOnly: true });
  const schema = connection.prepare('select name, sql from sqlite_schema order by name').all();
  connection.close();
  return schema;
}

test('every connection syncs to disk at each commit and leaves waiting to us', async () => {
  await (await openSqlite(file, systemClock)).close();
  for (const mode of ['read-write', 'read-only'] as const) {
    const connection = openConnection(file, mode);
    const pragma = (name: string) => Object.values(connection.prepare(`pragma ${name}`).get() ?? {})[0];
    expect(pragma('journal_mode')).toBe('wal');
    expect(pragma('synchronous')).toBe(2);
    expect(pragma('foreign_keys')).toBe(1);
    expect(pragma('busy_timeout')).toBe(0);
    connection.close();
  }
});

test('a connection that is not what it must be is refused', () => {
  expect(() => openConnection(':memory:', 'read-write')).toThrow('journal_mode');
});

test('migrating a second time changes nothing', async () => {
  await (await openSqlite(file, systemClock)).close();
  const once = schemaOf(file);
  const again = await openSqlite(file, systemClock);
  await again.write((trx) => trx.insertInto('meta').values({ key: 'a', value: 'b' }).execute());
  await again.close();
  expect(schemaOf(file)).toEqual(once);
});

test('a database of a newer version is refused and left as it is', async () => {
  await (await openSqlite(file, systemClock)).close();
  const newer = new DatabaseSync(file);
  newer.exec("insert into kysely_migration values ('0999_from_the_future', '2030-01-01T00:00:00.000Z')");
  newer.close();
  const before = schemaOf(file);
  await expect(openSqlite(file, systemClock)).rejects.toThrow(DatabaseTooNew);
  await expect(openSqlite(file, systemClock)).rejects.toThrow('0999_from_the_future');
  expect(schemaOf(file)).toEqual(before);
});

test('a file that is no database is refused', async () => {
  await writeFile(file, 'not a database at all, but long enough to be read as one '.repeat(100));
  await expect(openSqlite(file, systemClock)).rejects.toThrow('not a database');
});
