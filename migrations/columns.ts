import { type CreateTableBuilder, type Kysely, PostgresAdapter } from 'kysely';

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
