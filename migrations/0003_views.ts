/**
 * What operators look at: messages that are dead or were ignored are found by index, and a replayed message knows which
 * dead one it repeats. A dead one is replayed at most once: its copy may die and be replayed in turn.
 */
import { type Kysely, sql } from 'kysely';
import { createIndex } from './tables.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('inbox').addColumn('replay_of', 'bigint').execute();
  await createIndex(db, 'inbox_replays', 'inbox', ['replay_of'], {
    unique: true,
    only: sql`replay_of is not null`,
  });
  await createIndex(db, 'inbox_buried', 'inbox', ['id'], { only: sql`state = 'buried'` });
  await createIndex(db, 'inbox_ignored', 'inbox', ['id'], { only: sql`state = 'ignored'` });
}
