/**
 * The first schema. Times are milliseconds since the epoch, JSON is text. Indexes `…_open…` hold the rows that are not
 * finished and nothing else, so that the cost of claiming and counting follows what is active, not what is known.
 */
import { type Kysely, sql } from 'kysely';
import { createNumberedTable } from './columns.ts';

/** In an index: only the rows that are not finished. */
const OPEN = sql<boolean>`ended_at is null`;

export async function up(db: Kysely<unknown>): Promise<void> {
  await createInbox(db);
  await createOutbox(db);
  await createLeases(db);
  await createSessions(db);
  await createTranscripts(db);
  await createTurns(db);
  await createLedger(db);
  await createSmallTables(db);
}

async function createInbox(db: Kysely<unknown>): Promise<void> {
  await createNumberedTable(db, 'inbox')
    .addColumn('conversation', 'text', (column) => column.notNull())
    .addColumn('chat', 'text', (column) => column.notNull())
    .addColumn('room_id', 'text', (column) => column.notNull())
    .addColumn('room_name', 'text')
    .addColumn('bot_id', 'text', (column) => column.notNull())
    .addColumn('user_id', 'text', (column) => column.notNull())
    .addColumn('user_name', 'text', (column) => column.notNull())
    .addColumn('message_id', 'text')
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('text', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('not_before', 'bigint')
    .addColumn('prompt_id', 'text')
    .addColumn('fence', 'bigint')
    .addColumn('told_longer_at', 'bigint')
    .addColumn('accepted_at', 'bigint', (column) => column.notNull())
    .addColumn('ended_at', 'bigint')
    .addColumn('outcome', 'text')
    .execute();
  await db.schema
    .createIndex('inbox_dedupe')
    .unique()
    .on('inbox')
    .columns(['chat', 'bot_id', 'message_id', 'digest'])
    .where('message_id', 'is not', null)
    .execute();
  await db.schema.createIndex('inbox_open').on('inbox').columns(['conversation', 'id']).where(OPEN).execute();
  // Covers the counts, so that they never read a message.
  await db.schema
    .createIndex('inbox_open_by_age')
    .on('inbox')
    .columns(['id', 'state', 'accepted_at'])
    .where(OPEN)
    .execute();
  await db.schema
    .createIndex('inbox_open_untold')
    .on('inbox')
    .columns(['accepted_at'])
    .where(OPEN)
    .where(sql<boolean>`told_longer_at is null`)
    .execute();
  await db.schema.createIndex('inbox_of_conversation').on('inbox').columns(['conversation', 'id']).execute();
}

async function createOutbox(db: Kysely<unknown>): Promise<void> {
  await createNumberedTable(db, 'outbox')
    .addColumn('conversation', 'text', (column) => column.notNull())
    .addColumn('chat', 'text', (column) => column.notNull())
    .addColumn('room_id', 'text', (column) => column.notNull())
    .addColumn('bot_id', 'text', (column) => column.notNull())
    .addColumn('inbox_id', 'bigint')
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('markdown', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('not_before', 'bigint')
    .addColumn('reason', 'text')
    .addColumn('may_be_double', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('sending_at', 'bigint')
    .addColumn('platform_id', 'text')
    .addColumn('ended_at', 'bigint')
    .addColumn('forgotten_at', 'bigint')
    .execute();
  await db.schema
    .createIndex('outbox_open_lanes')
    .on('outbox')
    .columns(['chat', 'room_id', 'bot_id', 'id'])
    .where(OPEN)
    .execute();
  await db.schema
    .createIndex('outbox_open_by_age')
    .on('outbox')
    .columns(['id', 'state', 'created_at'])
    .where(OPEN)
    .execute();
  await db.schema
    .createIndex('outbox_sent')
    .on('outbox')
    .columns(['chat', 'room_id', 'bot_id', 'id', 'platform_id'])
    .where('platform_id', 'is not', null)
    .execute();
  await db.schema.createIndex('outbox_by_end').on('outbox').columns(['state', 'ended_at']).execute();
  await db.schema
    .createIndex('outbox_of_conversation')
    .on('outbox')
    .columns(['conversation', 'id'])
    .execute();
}

async function createLeases(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('leases')
    .addColumn('conversation', 'text', (column) => column.primaryKey())
    .addColumn('fence', 'bigint', (column) => column.notNull())
    .addColumn('holder', 'text')
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex('leases_held')
    .on('leases')
    .columns(['holder'])
    .where('holder', 'is not', null)
    .execute();
}

async function createSessions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('sessions')
    .addColumn('session_id', 'text', (column) => column.primaryKey())
    .addColumn('conversation', 'text', (column) => column.notNull())
    .addColumn('room_id', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('settled_entry', 'text')
    .addColumn('fingerprint', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('last_used_at', 'bigint', (column) => column.notNull())
    .addColumn('turn_count', 'integer', (column) => column.notNull())
    .addColumn('cost_usd', 'double precision', (column) => column.notNull())
    .addColumn('cumulative', 'text', (column) => column.notNull())
    .addColumn('last_tier', 'text', (column) => column.notNull())
    .addColumn('last_start', 'text', (column) => column.notNull())
    .addColumn('ended_at', 'bigint')
    .execute();
  await db.schema
    .createIndex('sessions_current')
    .unique()
    .on('sessions')
    .columns(['conversation'])
    .where(OPEN)
    .execute();
  await db.schema
    .createIndex('sessions_current_by_use')
    .on('sessions')
    .columns(['last_used_at'])
    .where(OPEN)
    .execute();
  await db.schema.createIndex('sessions_of_conversation').on('sessions').columns(['conversation']).execute();
  await db.schema
    .createIndex('sessions_by_room')
    .on('sessions')
    .columns(['room_id', 'state', 'conversation'])
    .execute();
}

async function createTranscripts(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('transcript_entries')
    .addColumn('session_id', 'text', (column) => column.notNull())
    .addColumn('subpath', 'text', (column) => column.notNull())
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('uuid', 'text')
    .addColumn('entry', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('transcript_entries_key', ['session_id', 'subpath', 'position'])
    .execute();
  await db.schema
    .createIndex('transcript_entries_uuid')
    .unique()
    .on('transcript_entries')
    .columns(['session_id', 'subpath', 'uuid'])
    .where('uuid', 'is not', null)
    .execute();
}

async function createTurns(db: Kysely<unknown>): Promise<void> {
  await createNumberedTable(db, 'turns')
    .addColumn('conversation', 'text', (column) => column.notNull())
    .addColumn('bot_id', 'text', (column) => column.notNull())
    .addColumn('session_id', 'text', (column) => column.notNull())
    .addColumn('inbox_ids', 'text', (column) => column.notNull())
    .addColumn('tier', 'text', (column) => column.notNull())
    .addColumn('start', 'text', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('outcome', 'text', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('ended_at', 'bigint', (column) => column.notNull())
    .addColumn('waited_ms', 'double precision', (column) => column.notNull())
    .addColumn('opened_ms', 'double precision', (column) => column.notNull())
    .addColumn('first_text_ms', 'double precision')
    .addColumn('answered_ms', 'double precision', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('turns_of_conversation').on('turns').columns(['conversation', 'id']).execute();
}

async function createLedger(db: Kysely<unknown>): Promise<void> {
  await createNumberedTable(db, 'ledger')
    .addColumn('conversation', 'text', (column) => column.notNull())
    .addColumn('bot_id', 'text', (column) => column.notNull())
    .addColumn('user_id', 'text', (column) => column.notNull())
    .addColumn('session_id', 'text', (column) => column.notNull())
    .addColumn('outcome', 'text', (column) => column.notNull())
    .addColumn('cost_usd', 'double precision', (column) => column.notNull())
    .addColumn('input_tokens', 'bigint', (column) => column.notNull())
    .addColumn('output_tokens', 'bigint', (column) => column.notNull())
    .addColumn('cache_read_tokens', 'bigint', (column) => column.notNull())
    .addColumn('cache_write_tokens', 'bigint', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .execute();
}

async function createSmallTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('agents')
    .addColumn('agent_id', 'text', (column) => column.primaryKey())
    .addColumn('pid', 'integer', (column) => column.notNull())
    .addColumn('conversation', 'text', (column) => column.notNull())
    .addColumn('session_id', 'text', (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .execute();
  await createNumberedTable(db, 'room_messages')
    .addColumn('room_id', 'text', (column) => column.notNull())
    .addColumn('author_id', 'text', (column) => column.notNull())
    .addColumn('author_name', 'text', (column) => column.notNull())
    .addColumn('author_is_bot', 'integer', (column) => column.notNull())
    .addColumn('html', 'text', (column) => column.notNull())
    .addColumn('plain_text', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex('room_messages_of_room')
    .on('room_messages')
    .columns(['room_id', 'id'])
    .execute();
  await db.schema
    .createTable('bot_keys')
    .addColumn('chat', 'text', (column) => column.notNull())
    .addColumn('bot_id', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('bot_keys_key', ['chat', 'bot_id'])
    .execute();
  await db.schema
    .createTable('meta')
    .addColumn('key', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute();
}
