/**
 * The first schema. Times are milliseconds since the epoch, JSON is text. Indexes `…_open…` hold the rows that are not
 * finished and nothing else, so that the cost of claiming and counting follows what is active, not what is known.
 */
import { type Kysely, sql } from 'kysely';
import { createIndex, createNumberedTable } from './tables.ts';

/** In an index: only the rows that are not finished. */
const OPEN = sql`ended_at is null`;

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
  await createIndex(db, 'inbox_dedupe', 'inbox', ['chat', 'bot_id', 'message_id', 'digest'], {
    unique: true,
    only: sql`message_id is not null`,
  });
  await createIndex(db, 'inbox_open', 'inbox', ['id'], { only: OPEN });
  // Covers the counts, so that they never read a message.
  await createIndex(db, 'inbox_open_by_state', 'inbox', ['state', 'accepted_at', 'ended_at'], { only: OPEN });
  await createIndex(db, 'inbox_open_untold', 'inbox', ['accepted_at'], {
    only: sql`ended_at is null and told_longer_at is null`,
  });
  // The unfinished ones (null) stand together: one index serves the next message and the whole history.
  await createIndex(db, 'inbox_of_conversation', 'inbox', ['conversation', 'ended_at', 'id']);
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
  await createIndex(db, 'outbox_open_lanes', 'outbox', ['chat', 'room_id', 'bot_id', 'id'], { only: OPEN });
  await createIndex(db, 'outbox_open', 'outbox', ['id'], { only: OPEN });
  await createIndex(db, 'outbox_open_by_state', 'outbox', ['state', 'created_at', 'ended_at'], {
    only: OPEN,
  });
  await createIndex(db, 'outbox_sent', 'outbox', ['chat', 'room_id', 'bot_id', 'id', 'platform_id'], {
    only: sql`platform_id is not null`,
  });
  await createIndex(db, 'outbox_buried', 'outbox', ['id'], { only: sql`state = 'buried'` });
  await createIndex(db, 'outbox_of_conversation', 'outbox', ['conversation', 'ended_at']);
}

async function createLeases(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('leases')
    .addColumn('conversation', 'text', (column) => column.primaryKey())
    .addColumn('fence', 'bigint', (column) => column.notNull())
    .addColumn('holder', 'text')
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute();
  await createIndex(db, 'leases_held', 'leases', ['holder'], { only: sql`holder is not null` });
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
    .addColumn('last_tier', 'text', (column) => column.notNull())
    .addColumn('last_start', 'text', (column) => column.notNull())
    .addColumn('ended_at', 'bigint')
    .execute();
  await createIndex(db, 'sessions_current', 'sessions', ['conversation'], { unique: true, only: OPEN });
  await createIndex(db, 'sessions_current_by_use', 'sessions', ['last_used_at'], { only: OPEN });
  await createIndex(db, 'sessions_of_conversation', 'sessions', ['conversation']);
  await createIndex(db, 'sessions_by_room', 'sessions', ['room_id', 'state', 'conversation']);
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
  await createIndex(db, 'transcript_entries_uuid', 'transcript_entries', ['session_id', 'subpath', 'uuid'], {
    unique: true,
    only: sql`uuid is not null`,
  });
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
  await createIndex(db, 'turns_of_conversation', 'turns', ['conversation', 'id']);
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
  await createIndex(db, 'room_messages_of_room', 'room_messages', ['room_id', 'id']);
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
