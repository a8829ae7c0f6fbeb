import { Kysely, SqliteDialect } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import type { Database } from '../database.ts';
import { migrate } from '../migrate.ts';
import type { Schema } from '../schema.ts';
import { openConnection, toKyselyDatabase } from './connection.ts';
import { makeWriter, type Writer } from './writer.ts';

export type SqliteDatabase = Database & {
  /** Commits so far and the writes that they brought to disk: how many writes share a sync. */
  stats: Writer['stats'];
};

/**
 * Opens (and makes) the database file, brings its schema up to date and checks that it is durable. One connection
 * writes, another reads; the folder's lock (`lock.ts`) is the caller's. Rejects with `DatabaseTooNew`, or with what
 * SQLite says.
 */
export async function openSqlite(path: string, clock: Clock): Promise<SqliteDatabase> {
  const writing = openConnection(path, 'read-write');
  const trx = toKysely(writing);
  const writer = makeWriter(writing, trx, clock);
  try {
    await writer.write(() => migrate(trx));
    // Only now: a new file is no database yet, and cannot be opened for reading.
    const reading = openConnection(path, 'read-only');
    return {
      write: writer.write,
      read: toKysely(reading),
      stats: writer.stats,
      async close() {
        await writer.close();
        // Last, the writer's: it takes the write-ahead log back into the file.
        if (reading.isOpen) reading.close();
        if (writing.isOpen) writing.close();
      },
    };
  } catch (error) {
    await writer.close();
    writing.close();
    throw error;
  }
}

function toKysely(connection: ReturnType<typeof openConnection>): Kysely<Schema> {
  return new Kysely<Schema>({ dialect: new SqliteDialect({ database: toKyselyDatabase(connection) }) });
}
