import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import { setNewest } from '../../base/set-newest.ts';

/** Prepared statements kept for each connection; the store has about a hundred different ones. */
const MOST_STATEMENTS = 500;

/** What must hold on every connection for an answered webhook to survive a power cut. 2 is FULL. */
const REQUIRED = { journal_mode: 'wal', synchronous: 2, foreign_keys: 1, busy_timeout: 0 } as const;

/**
 * Opens the file with its pragmas set and checked. Waiting is never left to SQLite (`busy_timeout=0`): it would block
 * the event loop.
 */
export function openConnection(path: string, mode: 'read-write' | 'read-only'): DatabaseSync {
  const connection = new DatabaseSync(path, { readOnly: mode === 'read-only', timeout: 0 });
  try {
    if (mode === 'read-write') connection.exec('pragma journal_mode = wal');
    connection.exec('pragma synchronous = full; pragma foreign_keys = on');
    assertPragmas(connection);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function assertPragmas(connection: DatabaseSync): void {
  for (const [name, required] of Object.entries(REQUIRED)) {
    const is = Object.values(connection.prepare(`pragma ${name}`).get() ?? {})[0];
    if (is !== required) throw new Error(`the database has ${name} = ${is}, it must be ${required}`);
  }
}

/** `node:sqlite` in the shape that Kysely's dialect asks for, with a bounded cache of prepared statements. */
export function toKyselyDatabase(connection: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();

  function prepare(sql: string): SqliteStatement {
    const statement = statements.get(sql) ?? prepareAnew(connection, sql);
    setNewest(statements, sql, statement, MOST_STATEMENTS);
    return statement;
  }

  return { prepare, close: () => connection.close() };
}

function prepareAnew(connection: DatabaseSync, sql: string): SqliteStatement {
  const statement = connection.prepare(sql);
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...bindable(parameters)),
    run: (parameters) => statement.run(...bindable(parameters)),
    iterate: (parameters) => connection.prepare(sql).iterate(...bindable(parameters)),
  };
}

/** The tables' types let nothing else through; `node:sqlite` itself refuses what it cannot bind. */
function bindable(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters as SQLInputValue[];
}

const SQLITE_BUSY = 5;

/** Whether another process held the file. The low byte is the code, the rest says how exactly. */
export function isBusy(error: unknown): boolean {
  return (
    error instanceof Error &&
    'errcode' in error &&
    typeof error.errcode === 'number' &&
    (error.errcode & 0xff) === SQLITE_BUSY
  );
}
