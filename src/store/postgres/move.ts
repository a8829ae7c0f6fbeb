import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import { CommitUnknown, type Database, DatabaseBusy, type Tx } from '../database.ts';
import { DatabaseTooNew } from '../migrate.ts';
import type { Schema } from '../schema.ts';
import { FolderLocked, lockFolder } from '../sqlite/lock.ts';
import { openSqlite } from '../sqlite/sqlite.ts';
import { PostgresError } from './errors.ts';
import { DatabaseTaken, LOCK_MARK } from './lock.ts';
import { makePool } from './pool.ts';
import { DatabaseUnfit, openPostgres } from './postgres.ts';

/** What one statement inserts at most: far below what Postgres binds, and little enough to hold in memory. */
const BATCH = { rows: 500, characters: 4_000_000 } as const;

/** What stands in the way now and then; after `CommitUnknown` a second try finds an empty database or a full one. */
const EXPECTED = [
  ...[FolderLocked, DatabaseTooNew, DatabaseBusy],
  ...[DatabaseTaken, DatabaseUnfit, PostgresError, CommitUnknown],
] as const;

export type MoveRequest = {
  readonly dataDir: string;
  readonly databaseUrl: string;
  readonly clock: Clock;
};

export type MoveOutcome =
  /** Rows by table. */
  | { readonly kind: 'moved'; readonly rows: Readonly<Record<string, number>> }
  /** Nothing was copied. */
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * Copies the SQLite database of a data folder into an empty Postgres database, in one transaction: all of it is there
 * afterwards, or nothing. Neither may be in use; the SQLite file stays as it is, brought up to date.
 */
export async function moveToPostgres(request: MoveRequest): Promise<MoveOutcome> {
  const closers: (() => Promise<void>)[] = [];
  try {
    return await move(request, closers);
  } catch (error) {
    if (!(error instanceof Error) || !EXPECTED.some((kind) => error instanceof kind)) throw error;
    return { kind: 'refused', reason: error.message };
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

async function move(
  { dataDir, databaseUrl, clock }: MoveRequest,
  closers: (() => Promise<void>)[],
): Promise<MoveOutcome> {
  const file = join(dataDir, 'firekeeper.sqlite');
  if (!existsSync(file)) return { kind: 'refused', reason: `there is no database in ${dataDir}` };
  const lock = await lockFolder(dataDir, clock);
  closers.push(lock.release);
  const full = await findRows(databaseUrl);
  if (full !== null)
    return { kind: 'refused', reason: `the Postgres database is not empty: ${full} has rows` };

  const source = await openSqlite(file, clock);
  closers.push(source.close);
  const log = { warn() {}, info() {} };
  const target = await openPostgres(databaseUrl, { clock, log, onTaken() {} });
  closers.push(target.close);
  return { kind: 'moved', rows: await copyAll(source, target) };
}

/** The first table of any kind that holds something, before anything is made; null: the database is empty. */
async function findRows(databaseUrl: string): Promise<string | null> {
  const pool = makePool(databaseUrl, 1);
  try {
    const { rows } = await pool.query(
      `select relname as name from pg_class
        where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and relname not like 'kysely_%'`,
      [],
    );
    // Names of tables, as asked for.
    for (const { name } of rows as { name: string }[]) {
      const ours = name === 'meta' ? `where key <> '${LOCK_MARK}'` : '';
      const some = await pool.query(`select 1 from "${name.replaceAll('"', '""')}" ${ours} limit 1`, []);
      if (some.rows.length > 0) return name;
    }
    return null;
  } finally {
    await pool.end();
  }
}

async function copyAll(source: Database, target: Database): Promise<Readonly<Record<string, number>>> {
  const tables = await tablesOf(source);
  return target.write(
    async (trx) => {
      const rows: Record<string, number> = {};
      // Until the end: tables come in any order, and rows may name later ones of their own table.
      await trx.getExecutor().executeQuery(sql`set constraints all deferred`.compile(trx));
      for (const table of tables) rows[table] = await copyTable(source, trx, table);
      await setSequences(source, trx);
      return rows;
    },
    { patience: 'long' },
  );
}

/** Both databases have the same tables: the same migrations made them. */
async function tablesOf({ read }: Database): Promise<readonly Table[]> {
  const tables = await read.introspection.getTables();
  return tables.filter(({ isView }) => !isView).map(({ name }) => name as Table);
}

type Table = keyof Schema & string;

/** How many rows there were; throws unless as many arrived. */
async function copyTable(source: Database, trx: Tx, table: Table): Promise<number> {
  let batch: Row[] = [];
  let characters = 0;
  const insert = async (): Promise<void> => {
    // The same table's rows, its ids among them, which Postgres takes as they are.
    if (batch.length > 0)
      await trx
        .insertInto(table)
        .values(batch as never)
        .execute();
    batch = [];
    characters = 0;
  };
  for await (const row of source.read
    .selectFrom(table as 'meta')
    .selectAll()
    .stream()) {
    batch.push(row);
    characters += lengthOf(row);
    if (batch.length >= BATCH.rows || characters >= BATCH.characters) await insert();
  }
  await insert();

  const there = await countRows(source.read, table);
  const arrived = await countRows(trx, table);
  if (arrived !== there) throw new Error(`${table} has ${there} rows, and ${arrived} arrived`);
  return arrived;
}

type Row = Readonly<Record<string, unknown>>;

function lengthOf(row: Row): number {
  return Object.values(row).reduce<number>(
    (sum, value) => sum + (typeof value === 'string' ? value.length : 8),
    0,
  );
}

/** Without the row that says which server has the database: it is this command itself. */
async function countRows(db: Pick<Tx, 'selectFrom'>, table: Table): Promise<number> {
  const { count } = await db
    .selectFrom(table as 'meta')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .$if(table === 'meta', (query) => query.where('key', '!=', LOCK_MARK))
    .executeTakeFirstOrThrow();
  return count;
}

/** Ids go on where SQLite was, those of deleted rows included: none is ever given twice. */
async function setSequences(source: Database, trx: Tx): Promise<void> {
  const { rows } = await sql<{ name: string; seq: number }>`select name, seq from sqlite_sequence`.execute(
    source.read,
  );
  for (const { name, seq } of rows) {
    const set = sql`select setval(pg_get_serial_sequence(${name}, 'id'), ${seq})`;
    await trx.getExecutor().executeQuery(set.compile(trx));
  }
}
