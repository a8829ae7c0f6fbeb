/** A replayed reply knows which dead one it repeats; a dead one is replayed at most once. */
import { type Kysely, sql } from 'kysely';
import { createIndex } from './tables.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('outbox').addColumn('replay_of', 'bigint').execute();
  await createIndex(db, 'outbox_replays', 'outbox', ['replay_of'], {
    unique: true,
    only: sql`replay_of is not null`,
  });
}
