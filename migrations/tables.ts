import { type CreateTableBuilder, type Kysely, PostgresAdapter, type RawBuilder, sql } from 'kysely';

/** A table with an `id` that the database counts up and never gives twice, whichever of the two databases it is. */
export function createNumberedTable<Name extends string>(
  db: Kysely<unknown>,
  name: Name,
): CreateTableBuilder<Name, 'id'> {
  const table = db.schema.createTable(name);
  return db.getExecutor().adapter instanceof PostgresAdapter
    ? table.addColumn('id', 'bigint', (column) => column.primaryKey().generatedByDefaultAsIdentity())
    : table.addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement());
}

/** An index; `only`: of the rows for which this holds, and a query is served by it when it says the same. */
export async function createIndex(
  db: Kysely<unknown>,
  name: string,
  table: string,
  columns: readonly string[],
  options: { readonly unique?: boolean; readonly only?: RawBuilder<unknown> } = {},
): Promise<void> {
  const unique = sql.raw(options.unique ? 'unique' : '');
  const only = options.only === undefined ? sql.raw('') : sql`where ${options.only}`;
  const on = sql.join(columns.map((column) => sql.ref(column)));
  await sql`create ${unique} index ${sql.ref(name)} on ${sql.table(table)} (${on}) ${only}`.execute(db);
}
