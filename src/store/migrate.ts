import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import * as main from '../../migrations/0001_main.ts';
import * as money from '../../migrations/0002_money.ts';
import * as views from '../../migrations/0003_views.ts';
import * as late from '../../migrations/0004_late.ts';
import * as retention from '../../migrations/0005_retention.ts';
import * as outboxReplays from '../../migrations/0006_outbox_replays.ts';
import * as projects from '../../migrations/0007_projects.ts';
import * as memoryAtRisk from '../../migrations/0008_memory_at_risk.ts';
import type { Schema } from './schema.ts';
import { isPostgres } from './sql/locks.ts';

/** Every migration there is, by its file's name; they run in the order of their numbers and never back. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_main': main,
  '0002_money': money,
  '0003_views': views,
  '0004_late': late,
  '0005_retention': retention,
  '0006_outbox_replays': outboxReplays,
  '0007_projects': projects,
  '0008_memory_at_risk': memoryAtRisk,
};

/** The database was written by a newer Firekeeper; nothing of it was touched. */
export class DatabaseTooNew extends Error {
  constructor(unknownMigration: string) {
    super(
      `the database was made by a newer version of Firekeeper (it has migration ${unknownMigration}): ` +
        'start that version, or restore a backup made before it',
    );
    this.name = 'DatabaseTooNew';
  }
}

/** Brings the schema up to date. The caller holds a transaction around it, so that a crash leaves no half of one. */
export async function migrate(db: Kysely<Schema>): Promise<void> {
  const schema = isPostgres(db) ? await currentSchema(db) : null;
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => MIGRATIONS },
    disableTransactions: true,
    ...(schema === null ? {} : { migrationTableSchema: schema }),
  });
  await refuseNewer(db, schema);
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

/** A Postgres database may hold other schemas, with migrations of somebody else's. */
async function currentSchema(db: Kysely<Schema>): Promise<string> {
  const { rows } = await sql<{ schema: string }>`select current_schema() as schema`.execute(db);
  return rows[0]?.schema ?? 'public';
}

async function refuseNewer(db: Kysely<Schema>, schema: string | null): Promise<void> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  const ours = tables.filter((table) => schema === null || table.schema === schema);
  if (!ours.some((table) => table.name === 'kysely_migration')) return;
  const done = await db
    .withTables<{ kysely_migration: { name: string } }>()
    .selectFrom('kysely_migration')
    .select('name')
    .execute();
  refuseUnknown(done.map(({ name }) => name));
}

/** Throws `DatabaseTooNew` when one of these migrations is none of ours. */
export function refuseUnknown(names: readonly string[]): void {
  const unknown = names.find((name) => !Object.hasOwn(MIGRATIONS, name));
  if (unknown !== undefined) throw new DatabaseTooNew(unknown);
}
