/** A session says when entries of a turn last did not reach its transcript. */
import type { Kysely } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('sessions').addColumn('memory_at_risk_at', 'bigint').execute();
}
