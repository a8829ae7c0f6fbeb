import type { Instant, SessionId } from '../../base/terms.ts';
import type { AuditEntry, UpdateTransaction } from '../../projects/projects.ts';
import type { Tx } from '../database.ts';
import { addAudit } from './update-events.ts';
import type { UpdateScope } from './update-scope.ts';

export function makeUpdateSessions(scope: UpdateScope): UpdateTransaction['sessions'] {
  const { trx, project, update, now } = scope;

  function own(id: SessionId) {
    return trx.updateTable('project_sessions').where('session_id', '=', id).where('project_id', '=', project);
  }

  return {
    async begin({ sessionId, parentId, origin, agentVersion, model }) {
      await trx
        .insertInto('project_sessions')
        .values({
          session_id: sessionId,
          project_id: project,
          parent_id: parentId,
          origin,
          state: 'provisional',
          agent_version: agentVersion,
          model,
          failures: 0,
          created_by: update.userId,
          created_at: now(),
          last_used_at: now(),
        })
        .execute();
      await addAudit(trx, now(), { ...scope.by, sessionId, event: 'created', reason: origin });
    },

    async confirm(id, { settledEntry, tree, contextTokens }) {
      const confirmed = await own(id)
        .set({
          state: 'active',
          settled_entry: settledEntry,
          tree,
          context_tokens: contextTokens,
          last_used_at: now(),
        })
        .where('state', 'in', ['provisional', 'active'])
        .returning('session_id')
        .executeTakeFirst();
      if (confirmed === undefined) throw new Error(`session ${id} cannot be confirmed`);
      await addAudit(trx, now(), { ...scope.by, sessionId: id, event: 'confirmed' });
    },

    async end(id, state, reason) {
      const ended = await own(id).set({ state }).returning('session_id').executeTakeFirst();
      if (ended === undefined) throw new Error(`session ${id} is none of this project`);
      if (state === 'deleted') await deleteTranscript(trx, id);
      await addAudit(trx, now(), { ...scope.by, sessionId: id, event: state, reason });
    },

    async failed(id) {
      const { failures } = await own(id)
        .set(({ eb }) => ({ failures: eb('failures', '+', 1) }))
        .returning('failures')
        .executeTakeFirstOrThrow();
      return failures;
    },
  };
}

/** The head has left it; one that has ended otherwise stays what it is. */
export async function supersede(
  trx: Tx,
  at: Instant,
  id: SessionId,
  by: Pick<AuditEntry, 'projectId' | 'actor' | 'userId'> & Partial<Pick<AuditEntry, 'updateId'>>,
): Promise<void> {
  const superseded = await trx
    .updateTable('project_sessions')
    .set({ state: 'superseded' })
    .where('session_id', '=', id)
    .where('state', '=', 'active')
    .returning('session_id')
    .executeTakeFirst();
  if (superseded !== undefined) await addAudit(trx, at, { ...by, sessionId: id, event: 'superseded' });
}

export async function deleteTranscript(trx: Tx, id: SessionId): Promise<void> {
  await trx.deleteFrom('transcript_entries').where('session_id', '=', id).execute();
}
