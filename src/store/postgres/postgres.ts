import { backoffMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import type { Instant } from '../../base/terms.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { Database } from '../database.ts';
import { migrate } from '../migrate.ts';
import { type Execute, makeKysely } from './dialect.ts';
import { PostgresError, toBusy } from './errors.ts';
import { type DatabaseTaken, type ServerLock, takeLock } from './lock.ts';
import { makePool, type Pool } from './pool.ts';
import { makeWriter } from './writer.ts';

/** With the one that holds the lock a server keeps 13 of the 100 connections that Postgres allows by default. */
const WRITES_AT_ONCE = 8;
const READS_AT_ONCE = 4;
/** How long a Postgres that is still starting is waited for. */
const UP_LIMIT_MS = 15_000;
/** The same patience as a write's. */
const READ_LIMIT_MS = 2_500;
const AGAIN_MS = { firstMs: 50, mostMs: 500 };

export type PostgresOptions = {
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn' | 'info'>;
  /** Another server has taken the database over: this one can write nothing any more and has to stop. */
  onTaken(error: DatabaseTaken): void;
  /** False lets several servers work on the database at once: for tests, which hold them apart themselves. */
  readonly exclusive?: boolean;
};

/** The database is none that can be used as it is. */
export class DatabaseUnfit extends Error {
  constructor(why: string) {
    super(`the Postgres database cannot be used: ${why}`);
    this.name = 'DatabaseUnfit';
  }
}

/**
 * Opens a Postgres database: takes the lock against a second server, brings the schema up to date and keeps two pools
 * of connections, for writes and for reads. It survives a restart of Postgres: meanwhile writes and reads reject after
 * their patience. Rejects with `DatabaseTaken`, `DatabaseTooNew`,
 * `DatabaseUnfit`, or what Postgres says; no error holds the address or
 * what was to be written.
 */
export async function openPostgres(url: string, options: PostgresOptions): Promise<Database> {
  const { clock } = options;
  const writing = makePool(url, WRITES_AT_ONCE);
  const reading = makePool(url, READS_AT_ONCE);
  let lock: ServerLock | null = null;
  try {
    await checkDatabase(reading, clock);
    lock = options.exclusive === false ? null : await takeLock(url, options);
    await migrateOn(writing);
    await lock?.sign();
  } catch (error) {
    await closeAll([writing, reading], lock);
    throw error;
  }

  const mayWrite = lock === null ? async () => {} : lock.held;
  const writer = makeWriter({ pool: writing, clock, atOnce: WRITES_AT_ONCE, mayWrite });
  return {
    write: writer.write,
    read: makeKysely(persistently(reading, clock, READ_LIMIT_MS)),
    stats: writer.stats,
    async close() {
      await writer.close();
      await closeAll([writing, reading], lock);
    },
  };
}

async function closeAll(pools: readonly Pool[], lock: ServerLock | null): Promise<void> {
  await Promise.all(pools.map((pool) => pool.end()));
  // Last: until then nobody else may begin.
  await lock?.release();
}

/** A read changes nothing, so one whose connection ended is simply asked again. */
function persistently(pool: Pool, clock: Clock, limitMs: number): Execute {
  return async (sql, parameters) => {
    const until: Instant = clock.now() + limitMs;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await pool.query(sql, parameters);
      } catch (error) {
        if (!(error instanceof PostgresError) || error.trouble !== 'away') throw error;
        const delayMs = backoffMs(attempt, AGAIN_MS);
        if (clock.now() + delayMs > until) throw toBusy(error);
        await clock.sleep(delayMs);
      }
    }
  };
}

/** The first contact: people write in every script there is, and the tables need a place. */
async function checkDatabase(pool: Pool, clock: Clock): Promise<void> {
  const ask = persistently(pool, clock, UP_LIMIT_MS);
  const { rows } = await ask(
    `select current_setting('server_encoding') as encoding, current_schema() as schema`,
    [],
  );
  const [{ encoding, schema }] = rows as [{ encoding: string; schema: string | null }];
  if (encoding !== 'UTF8')
    throw new DatabaseUnfit(`it keeps its text as ${encoding}, and has to be made with encoding UTF8`);
  if (schema === null) throw new DatabaseUnfit('its search_path names no schema that exists');
}

/** In one transaction, so that a crash leaves no half of it, and on a connection that is closed afterwards. */
async function migrateOn(pool: Pool): Promise<void> {
  const connection = await pool.connect();
  try {
    await connection.run('begin');
    await connection.run('set local statement_timeout = 0');
    await migrate(connection.kysely);
    await connection.run('commit');
  } finally {
    connection.release('broken');
  }
}
