/**
 * What has ended, in the order of its end: rows that are older than they are kept are found without reading any other.
 * Only finished rows are in them, so a message costs nothing more until it ends.
 */
import { type Kysely, sql } from 'kysely';
import { createIndex } from './tables.ts';

const ENDED = sql`ended_at is not null`;

export async function up(db: Kysely<unknown>): Promise<void> {
  await createIndex(db, 'inbox_ended', 'inbox', ['ended_at', 'id'], { only: ENDED });
  await createIndex(db, 'outbox_ended', 'outbox', ['ended_at', 'id'], { only: ENDED });
  await createIndex(db, 'sessions_ended', 'sessions', ['ended_at', 'session_id'], { only: ENDED });
  await createIndex(db, 'turns_by_time', 'turns', ['ended_at', 'id']);
  await createIndex(db, 'room_messages_by_time', 'room_messages', ['created_at', 'id']);
}
