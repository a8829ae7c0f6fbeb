/**
 * Messages that are found later than they were sent, the rooms in which they are looked for, and the notices of rooms
 * that are told that there is too much: one a minute.
 */
import { type Kysely, sql } from 'kysely';
import { createIndex } from './tables.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('inbox').addColumn('sent_at', 'bigint').execute();
  await db.schema
    .createTable('bot_rooms')
    .addColumn('chat', 'text', (column) => column.notNull())
    .addColumn('bot_id', 'text', (column) => column.notNull())
    .addColumn('room_id', 'text', (column) => column.notNull())
    .addColumn('room_name', 'text')
    .addColumn('heard_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('bot_rooms_key', ['chat', 'bot_id', 'room_id'])
    .execute();
  await createIndex(db, 'outbox_overloaded', 'outbox', ['chat', 'room_id', 'created_at'], {
    only: sql`kind = 'overloaded'`,
  });
}
