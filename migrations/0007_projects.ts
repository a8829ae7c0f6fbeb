/**
 * Project updates. A key that names a session, an update or the head's version carries the project with it, so that
 * nothing of one project can point into another; numbers of versions count within their project and name no other's.
 * Foreign keys are checked at once, and only the move to Postgres puts them off. The audit refuses changes.
 */
import { type CreateTableBuilder, type Kysely, PostgresAdapter, sql } from 'kysely';
import { createIndex, createNumberedTable } from './tables.ts';

/** In an index: updates that are queued or hold their project. */
const OPEN = sql`finished_at is null`;
const TERMINAL = sql`type in ('update.completed', 'update.failed', 'update.cancelled')`;
/** Events that may go once their update has ended. */
const PASSING = sql`type not in ('update.completed', 'update.failed', 'update.cancelled', 'version.created')`;

export async function up(db: Kysely<unknown>): Promise<void> {
  await createProjects(db);
  await createSessions(db);
  await createUpdates(db);
  await createVersions(db);
  await createHeads(db);
  await createSteps(db);
  await createRuns(db);
  await createEvents(db);
  await createAudit(db);
}

async function createProjects(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('projects')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('owner_id', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('policy', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();
  const tokens = createNumberedTable(db, 'project_tokens')
    .addColumn('project_id', 'text', (column) => column.notNull())
    .addColumn('user_id', 'text', (column) => column.notNull())
    .addColumn('label', 'text', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('revoked_at', 'bigint');
  await link(tokens, 'project_tokens_project', ['project_id'], 'projects', ['id']).execute();
  await createIndex(db, 'project_tokens_hash', 'project_tokens', ['hash'], { unique: true });
  await createIndex(db, 'project_tokens_of_project', 'project_tokens', ['project_id', 'user_id']);
}

async function createSessions(db: Kysely<unknown>): Promise<void> {
  const sessions = db.schema
    .createTable('project_sessions')
    .addColumn('session_id', 'text', (column) => column.primaryKey())
    .addColumn('project_id', 'text', (column) => column.notNull())
    .addColumn('parent_id', 'text')
    .addColumn('origin', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('settled_entry', 'text')
    .addColumn('tree', 'text')
    .addColumn('agent_version', 'text', (column) => column.notNull())
    .addColumn('model', 'text')
    .addColumn('context_tokens', 'bigint')
    .addColumn('failures', 'integer', (column) => column.notNull())
    .addColumn('created_by', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('last_used_at', 'bigint', (column) => column.notNull())
    .addUniqueConstraint('project_sessions_key', ['session_id', 'project_id']);
  const owned = link(sessions, 'project_sessions_project', ['project_id'], 'projects', ['id']);
  await linkSession(owned, 'project_sessions', 'parent_id').execute();
  await createIndex(db, 'project_sessions_of_project', 'project_sessions', ['project_id']);
  await createIndex(db, 'project_sessions_by_parent', 'project_sessions', ['parent_id']);
  await createIndex(db, 'project_sessions_kept_by_use', 'project_sessions', ['last_used_at', 'session_id'], {
    only: sql`state <> 'deleted'`,
  });
}

async function createUpdates(db: Kysely<unknown>): Promise<void> {
  const updates = createNumberedTable(db, 'updates')
    .addColumn('project_id', 'text', (column) => column.notNull())
    .addColumn('user_id', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('prompt', 'text')
    .addColumn('options', 'text', (column) => column.notNull())
    .addColumn('idempotency_key', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('step', 'text')
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('not_before', 'bigint')
    .addColumn('wait_reason', 'text')
    .addColumn('degraded', 'text', (column) => column.notNull())
    .addColumn('base_version', 'integer')
    .addColumn('result_version', 'integer')
    .addColumn('resume_decision', 'text')
    .addColumn('resume_reason', 'text')
    .addColumn('resume_outcome', 'text')
    .addColumn('arm', 'text')
    .addColumn('fix_turns', 'integer', (column) => column.notNull())
    .addColumn('cancel_requested_at', 'bigint')
    .addColumn('error_code', 'text')
    .addColumn('error_detail', 'text')
    .addColumn('queued_at', 'bigint', (column) => column.notNull())
    .addColumn('started_at', 'bigint')
    .addColumn('committed_at', 'bigint')
    .addColumn('finished_at', 'bigint')
    .addUniqueConstraint('updates_key', ['id', 'project_id'])
    .addUniqueConstraint('updates_idempotency', ['project_id', 'idempotency_key']);
  await link(updates, 'updates_project', ['project_id'], 'projects', ['id']).execute();
  // One that runs at a time: the database itself refuses a second one.
  await createIndex(db, 'updates_open_holder', 'updates', ['project_id'], {
    unique: true,
    only: sql`status in ('running', 'committed')`,
  });
  await createIndex(db, 'updates_open_queue', 'updates', ['status', 'id', 'finished_at'], { only: OPEN });
  await createIndex(db, 'updates_open_lines', 'updates', ['project_id', 'id', 'finished_at'], { only: OPEN });
  await createIndex(db, 'updates_of_project', 'updates', ['project_id', 'id']);
  await createIndex(db, 'updates_of_project_by_status', 'updates', ['project_id', 'status', 'id']);
  await createIndex(db, 'updates_ended', 'updates', ['kind', 'finished_at', 'id']);
  await createIndex(db, 'updates_ended_of_project', 'updates', ['project_id', 'kind', 'finished_at', 'id']);
}

async function createVersions(db: Kysely<unknown>): Promise<void> {
  const versions = db.schema
    .createTable('project_versions')
    .addColumn('project_id', 'text', (column) => column.notNull())
    .addColumn('no', 'integer', (column) => column.notNull())
    .addColumn('parent_no', 'integer')
    .addColumn('restored_no', 'integer')
    .addColumn('update_id', 'bigint', (column) => column.notNull())
    .addColumn('commit_id', 'text', (column) => column.notNull())
    .addColumn('tree', 'text', (column) => column.notNull())
    .addColumn('edit_session', 'text')
    .addColumn('final_session', 'text')
    .addColumn('files_changed', 'integer', (column) => column.notNull())
    .addColumn('lines_added', 'integer', (column) => column.notNull())
    .addColumn('lines_removed', 'integer', (column) => column.notNull())
    .addColumn('metadata_state', 'text', (column) => column.notNull())
    .addColumn('title', 'text')
    .addColumn('description', 'text')
    .addColumn('change_type', 'text')
    .addColumn('recommendations', 'text', (column) => column.notNull())
    .addColumn('documentation', 'text')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('project_versions_key', ['project_id', 'no'])
    .addUniqueConstraint('project_versions_update_once', ['update_id', 'project_id']);
  const own: readonly [string, readonly string[]] = ['project_versions', ['project_id', 'no']];
  const linked = linkUpdate(
    link(
      link(versions, 'project_versions_parent', ['project_id', 'parent_no'], ...own),
      'project_versions_restored',
      ['project_id', 'restored_no'],
      ...own,
    ),
    'project_versions',
  );
  const withEdit = linkSession(linked, 'project_versions', 'edit_session');
  await linkSession(withEdit, 'project_versions', 'final_session').execute();
  for (const column of ['edit_session', 'final_session'])
    await createIndex(db, `project_versions_by_${column}`, 'project_versions', [column]);
  for (const column of ['parent_no', 'restored_no'])
    await createIndex(db, `project_versions_by_${column}`, 'project_versions', ['project_id', column]);
}

async function createHeads(db: Kysely<unknown>): Promise<void> {
  const heads = db.schema
    .createTable('project_heads')
    .addColumn('project_id', 'text', (column) => column.primaryKey())
    .addColumn('version', 'integer')
    .addColumn('session_id', 'text')
    .addColumn('commit_id', 'text')
    .addColumn('revision', 'bigint', (column) => column.notNull());
  const owned = link(heads, 'project_heads_project', ['project_id'], 'projects', ['id']);
  const versioned = link(owned, 'project_heads_version', ['project_id', 'version'], 'project_versions', [
    'project_id',
    'no',
  ]);
  await linkSession(versioned, 'project_heads', 'session_id').execute();
  await createIndex(db, 'project_heads_by_session', 'project_heads', ['session_id']);
}

async function createSteps(db: Kysely<unknown>): Promise<void> {
  const steps = db.schema
    .createTable('update_steps')
    .addColumn('update_id', 'bigint', (column) => column.notNull())
    .addColumn('project_id', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('input_session', 'text')
    .addColumn('output_session', 'text')
    .addColumn('checkpoint', 'text', (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('finished_at', 'bigint')
    .addPrimaryKeyConstraint('update_steps_key', ['update_id', 'kind', 'attempt']);
  const withInput = linkSession(linkUpdate(steps, 'update_steps'), 'update_steps', 'input_session');
  await linkSession(withInput, 'update_steps', 'output_session').execute();
  for (const column of ['project_id', 'input_session', 'output_session'])
    await createIndex(db, `update_steps_by_${column}`, 'update_steps', [column]);
}

async function createRuns(db: Kysely<unknown>): Promise<void> {
  const runs = createNumberedTable(db, 'update_runs')
    .addColumn('update_id', 'bigint', (column) => column.notNull())
    .addColumn('project_id', 'text', (column) => column.notNull())
    .addColumn('purpose', 'text', (column) => column.notNull())
    .addColumn('mode', 'text', (column) => column.notNull())
    .addColumn('session_id', 'text', (column) => column.notNull())
    .addColumn('reported_session_id', 'text')
    .addColumn('outcome', 'text', (column) => column.notNull())
    .addColumn('detail', 'text')
    .addColumn('cost_usd', 'double precision', (column) => column.notNull())
    .addColumn('input_tokens', 'bigint', (column) => column.notNull())
    .addColumn('output_tokens', 'bigint', (column) => column.notNull())
    .addColumn('cache_read_tokens', 'bigint', (column) => column.notNull())
    .addColumn('cache_write_tokens', 'bigint', (column) => column.notNull())
    .addColumn('without_cost', 'integer', (column) => column.notNull())
    .addColumn('steps', 'integer', (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('first_text_at', 'bigint')
    .addColumn('first_edit_at', 'bigint')
    .addColumn('finished_at', 'bigint');
  await linkSession(linkUpdate(runs, 'update_runs'), 'update_runs', 'session_id').execute();
  await createIndex(db, 'update_runs_of_update', 'update_runs', ['update_id', 'id']);
  for (const column of ['project_id', 'session_id'])
    await createIndex(db, `update_runs_by_${column}`, 'update_runs', [column]);
}

async function createEvents(db: Kysely<unknown>): Promise<void> {
  const events = db.schema
    .createTable('update_events')
    .addColumn('update_id', 'bigint', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('type', 'text', (column) => column.notNull())
    .addColumn('progress', 'double precision', (column) => column.notNull())
    .addColumn('payload', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('update_events_key', ['update_id', 'seq']);
  await link(events, 'update_events_update', ['update_id'], 'updates', ['id']).execute();
  await createIndex(db, 'update_events_terminal', 'update_events', ['update_id'], {
    unique: true,
    only: TERMINAL,
  });
  await createIndex(db, 'update_events_passing', 'update_events', ['at', 'update_id', 'seq'], {
    only: PASSING,
  });
}

/** It names rows that may be gone: it has no foreign keys. */
async function createAudit(db: Kysely<unknown>): Promise<void> {
  await createNumberedTable(db, 'project_audit')
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('project_id', 'text', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('user_id', 'text')
    .addColumn('update_id', 'bigint')
    .addColumn('session_id', 'text')
    .addColumn('event', 'text', (column) => column.notNull())
    .addColumn('reason', 'text')
    .execute();
  await createIndex(db, 'project_audit_of_project', 'project_audit', ['project_id', 'id']);
  if (db.getExecutor().adapter instanceof PostgresAdapter) {
    await sql`
      create function project_audit_refuse() returns trigger language plpgsql as $$
      begin
        raise exception 'the audit of projects is append-only';
      end $$`.execute(db);
    await sql`
      create trigger project_audit_append_only before update or delete on project_audit
      for each row execute function project_audit_refuse()`.execute(db);
    return;
  }
  for (const change of ['update', 'delete'])
    await sql`
      create trigger ${sql.ref(`project_audit_no_${change}`)} before ${sql.raw(change)} on project_audit
      begin select raise(abort, 'the audit of projects is append-only'); end`.execute(db);
}

function link<Table extends string, Column extends string>(
  table: CreateTableBuilder<Table, Column>,
  name: string,
  columns: readonly Column[],
  target: string,
  targetColumns: readonly string[],
): CreateTableBuilder<Table, Column> {
  return table.addForeignKeyConstraint(
    `${name}_link`,
    [...columns],
    target,
    [...targetColumns],
    (constraint) => constraint.deferrable().initiallyImmediate(),
  );
}

/** A session of the same project. */
function linkSession<Table extends string, Column extends string>(
  table: CreateTableBuilder<Table, Column | 'project_id'>,
  name: string,
  column: Column,
): CreateTableBuilder<Table, Column | 'project_id'> {
  const target = ['session_id', 'project_id'];
  return link(table, `${name}_${column}`, [column, 'project_id'], 'project_sessions', target);
}

/** An update of the same project. */
function linkUpdate<Table extends string, Column extends string>(
  table: CreateTableBuilder<Table, Column | 'project_id' | 'update_id'>,
  name: string,
): CreateTableBuilder<Table, Column | 'project_id' | 'update_id'> {
  return link(table, `${name}_update`, ['update_id', 'project_id'], 'updates', ['id', 'project_id']);
}
