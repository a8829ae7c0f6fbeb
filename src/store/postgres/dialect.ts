import {
  type DatabaseConnection,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely';
import type { Schema } from '../schema.ts';

export type Answer = { readonly rows: readonly unknown[]; readonly rowCount: number | null };

/** Runs one statement somewhere. */
export type Execute = (sql: string, parameters: readonly unknown[]) => Promise<Answer>;

/**
 * Kysely over one function. Its own driver for Postgres owns a pool and its transactions; here whoever makes the
 * function does, because what follows from a failure hangs on how far a transaction was.
 */
export function makeKysely(execute: Execute): Kysely<Schema> {
  const connection: DatabaseConnection = {
    async executeQuery({ sql, parameters }) {
      const { rows, rowCount } = await execute(sql, parameters);
      // What a statement returns is known to its builder's types alone.
      return { rows: [...rows] as never[], numAffectedRows: BigInt(rowCount ?? 0) };
    },
    streamQuery() {
      throw new Error('nothing is streamed from Postgres');
    },
  };
  const driver: Driver = {
    init: async () => {},
    acquireConnection: async () => connection,
    releaseConnection: async () => {},
    beginTransaction: refuse,
    commitTransaction: refuse,
    rollbackTransaction: refuse,
    destroy: async () => {},
  };
  return new Kysely<Schema>({
    dialect: {
      createDriver: () => driver,
      createAdapter: () => new PostgresAdapter(),
      createQueryCompiler: () => new PostgresQueryCompiler(),
      createIntrospector: (db) => new PostgresIntrospector(db),
    },
  });
}

async function refuse(): Promise<void> {
  throw new Error('a transaction is begun by Database.write alone');
}
