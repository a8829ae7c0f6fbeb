/** Connections to Postgres: how each is set up, what its values become, and errors that say nothing of what was written. */
import type { Kysely } from 'kysely';
import pg from 'pg';
import type { Schema } from '../schema.ts';
import { type Answer, makeKysely } from './dialect.ts';
import { PostgresError, toPostgresError } from './errors.ts';
import { decodeText, encodeText } from './text.ts';

/** Below the three seconds within which a webhook must be stored; the wait for a free connection counts too. */
const CONNECT_LIMIT_MS = 2_000;
/** What a statement may take in Postgres, and then on the way: a network that went silent ends with the second. */
const STATEMENT_LIMIT_MS = 15_000;
const QUERY_LIMIT_MS = 20_000;
/** What a lock is waited for. Who waits longer is told that the database is busy. */
const LOCK_LIMIT_MS = 2_000;
/** After this Postgres itself undoes a transaction whose server went silent, and frees what it had locked. */
const SILENT_TRANSACTION_LIMIT_MS = 30_000;

/** One connection for the time of one use. */
export type Connection = {
  /** Every statement goes through this one, which has numbers for `bigint` and texts as they were given. */
  readonly kysely: Kysely<Schema>;
  /** A statement without parameters; the name of what was done, such as `COMMIT`. Throws `PostgresError`. */
  run(sql: string): Promise<string>;
  /** The first error of a statement since it was taken: the transaction is undone whoever caught it. */
  failure(): PostgresError | null;
  /** Gives it back; a `broken` one, or one in an unknown state, is closed. */
  release(how: 'whole' | 'broken'): void;
};

export type Pool = {
  connect(): Promise<Connection>;
  /** One statement on any connection. Throws `PostgresError`. */
  query(sql: string, parameters: readonly unknown[]): Promise<Answer>;
  /** Waits for the ones in use. */
  end(): Promise<void>;
};

export function makePool(url: string, most: number): Pool {
  const pool = new pg.Pool({ ...clientConfig(url), max: most, onConnect: setUp });
  // Without a listener a connection that ends, idle or between two statements of a transaction, ends the process. The
  // pool drops it by itself, and the statement after it fails.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));

  return {
    async connect() {
      return toConnection(await pool.connect().catch(rethrow));
    },
    query: (sql, parameters) => pool.query(sql, encodeAll(parameters)).catch(rethrow),
    async end() {
      if (!pool.ending) await pool.end();
    },
  };
}

/** What every connection has in common, the one that holds the server's lock too. */
export function clientConfig(url: string): pg.ClientConfig {
  return {
    connectionString: url,
    fallback_application_name: 'firekeeper',
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    query_timeout: QUERY_LIMIT_MS,
    keepAlive: true,
    types: { getTypeParser },
  };
}

/**
 * As statements and not as parameters of the connection, which poolers refuse. An answered webhook must survive a power
 * cut, so `synchronous_commit` is never off; a stronger setting of the operator's stays.
 */
async function setUp(client: pg.ClientBase): Promise<void> {
  await client.query(
    [
      `set statement_timeout = ${STATEMENT_LIMIT_MS}`,
      `set lock_timeout = ${LOCK_LIMIT_MS}`,
      `set idle_in_transaction_session_timeout = ${SILENT_TRANSACTION_LIMIT_MS}`,
      `select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`,
    ].join('; '),
  );
}

const { builtins } = pg.types;

/** `bigint` and sums of it are numbers: ids, times in milliseconds and tokens all stay below 2^53. */
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') => {
  if (format === 'binary') return pg.types.getTypeParser(oid, format);
  switch (oid) {
    case builtins.INT8:
    case builtins.NUMERIC:
      return Number;
    case builtins.TEXT:
    case builtins.VARCHAR:
      return decodeText;
    default:
      return pg.types.getTypeParser(oid, 'text');
  }
};

function toConnection(client: pg.PoolClient): Connection {
  let failure: PostgresError | null = null;
  let isReleased = false;

  async function query(sql: string, parameters?: readonly unknown[]): Promise<pg.QueryResult> {
    if (isReleased) throw new Error('a statement came after the end of its transaction');
    try {
      return await client.query(sql, parameters && encodeAll(parameters));
    } catch (thrown) {
      const error = toPostgresError(thrown);
      if (error instanceof PostgresError) failure ??= error;
      // After the first one Postgres only says that the transaction is undone.
      throw failure ?? error;
    }
  }

  return {
    kysely: makeKysely(query),
    async run(sql) {
      return (await query(sql)).command;
    },
    failure: () => failure,
    release(how) {
      isReleased = true;
      client.release(how === 'broken');
    },
  };
}

function encodeAll(parameters: readonly unknown[]): unknown[] {
  return parameters.map((value) => (typeof value === 'string' ? encodeText(value) : value));
}

function rethrow(thrown: unknown): never {
  throw toPostgresError(thrown);
}
