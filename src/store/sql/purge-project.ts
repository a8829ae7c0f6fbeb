import type { Clock } from '../../base/clock.ts';
import type { SessionId } from '../../base/terms.ts';
import type { ProjectId } from '../../projects/projects.ts';
import type { Database, Tx } from '../database.ts';
import { isHeld, lockProject } from './project-rows.ts';
import { addAudit } from './update-events.ts';
import { deleteTranscript } from './update-sessions.ts';

/**
 * Transcripts first, each in a transaction of its own, because they can be large: what a crash leaves of them is found
 * again. Then every row at once.
 */
export async function purgeProject(database: Database, clock: Clock, id: ProjectId): Promise<boolean> {
  const decide = (trx: Tx) => decidePurge(trx, id);
  const first = await database.write(decide);
  if (first !== 'go on') return first === 'gone';
  for (const session of await listSessions(database, id)) await database.write((trx) => forget(trx, session));
  return database.write(async (trx) => {
    const decision = await decide(trx);
    if (decision !== 'go on') return decision === 'gone';
    await deleteRows(trx, id);
    await addAudit(trx, clock.now(), { projectId: id, actor: 'server', event: 'project_deleted' });
    return true;
  });
}

async function decidePurge(trx: Tx, id: ProjectId): Promise<'go on' | 'gone' | 'held'> {
  const state = await lockProject(trx, id);
  if (state === null) return 'gone';
  if (state !== 'deleting') throw new Error('a project that is not being deleted is not purged');
  return (await isHeld(trx, id)) ? 'held' : 'go on';
}

async function listSessions({ read }: Database, id: ProjectId): Promise<readonly SessionId[]> {
  const rows = await read
    .selectFrom('project_sessions')
    .select('session_id')
    .where('project_id', '=', id)
    .where('state', '!=', 'deleted')
    .execute();
  return rows.map((row) => row.session_id);
}

async function forget(trx: Tx, session: SessionId): Promise<void> {
  await deleteTranscript(trx, session);
  await trx
    .updateTable('project_sessions')
    .set({ state: 'deleted' })
    .where('session_id', '=', session)
    .execute();
}

/** What refers to others goes before them; what refers to its own kind goes in one statement. */
async function deleteRows(trx: Tx, id: ProjectId): Promise<void> {
  const updates = trx.selectFrom('updates').select('id').where('project_id', '=', id);
  await trx.deleteFrom('update_events').where('update_id', 'in', updates).execute();
  for (const table of ['update_steps', 'update_runs', 'project_heads', 'project_tokens'] as const)
    await trx.deleteFrom(table).where('project_id', '=', id).execute();
  for (const table of ['project_versions', 'updates', 'project_sessions'] as const)
    await trx.deleteFrom(table).where('project_id', '=', id).execute();
  await trx.deleteFrom('projects').where('id', '=', id).execute();
}
