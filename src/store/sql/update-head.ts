import type { UpdateTransaction, VersionNo } from '../../projects/projects.ts';
import { addAudit } from './update-events.ts';
import type { UpdateScope } from './update-scope.ts';
import { supersede } from './update-sessions.ts';

export function makeUpdateVersions(scope: UpdateScope): UpdateTransaction['versions'] {
  const { trx, project, update, now } = scope;
  return {
    async add(version) {
      const no = await nextNo(scope);
      const { changes } = version;
      await trx
        .insertInto('project_versions')
        .values({
          project_id: project,
          no,
          parent_no: version.parentNo,
          restored_no: version.restoredNo,
          update_id: update.id,
          commit_id: version.commit,
          tree: version.tree,
          edit_session: version.editSession,
          final_session: version.finalSession,
          files_changed: changes.files,
          lines_added: changes.added,
          lines_removed: changes.removed,
          metadata_state: 'pending',
          recommendations: '[]',
          created_at: now(),
        })
        .execute();
      const committed = await trx
        .updateTable('updates')
        .set({ status: 'committed', committed_at: now(), result_version: no })
        .where('id', '=', update.id)
        .where('status', '=', 'running')
        .returning('id')
        .executeTakeFirst();
      if (committed === undefined) throw new Error(`update ${update.id} does not run`);
      await scope.event('version.created', null, { version: no, changes });
      return no;
    },

    async describe(no, { finalSession, ...metadata }) {
      const described = await trx
        .updateTable('project_versions')
        // What is undefined stays as it is.
        .set({
          final_session: finalSession,
          metadata_state: metadata.state,
          title: metadata.title,
          description: metadata.description,
          change_type: metadata.changeType,
          recommendations: metadata.recommendations && JSON.stringify(metadata.recommendations),
          documentation: metadata.documentation,
        })
        .where('project_id', '=', project)
        .where('no', '=', no)
        .returning('no')
        .executeTakeFirst();
      if (described === undefined) throw new Error(`there is no version ${no} to describe`);
    },
  };
}

/** Under the project's lease nobody else takes it. */
async function nextNo({ trx, project }: UpdateScope): Promise<VersionNo> {
  const last = await trx
    .selectFrom('project_versions')
    .select('no')
    .where('project_id', '=', project)
    .orderBy('no', 'desc')
    .limit(1)
    .executeTakeFirst();
  return (last?.no ?? 0) + 1;
}

export function makeUpdateHead({ trx, project, now, by }: UpdateScope): UpdateTransaction['head'] {
  return {
    async move(expected, { version, session, commit }) {
      const former = await trx
        .selectFrom('project_heads')
        .select('session_id')
        .where('project_id', '=', project)
        .executeTakeFirst();
      const moved = await trx
        .updateTable('project_heads')
        // What is undefined stays as it is.
        .set(({ eb }) => ({
          version,
          session_id: session,
          commit_id: commit,
          revision: eb('revision', '+', 1),
        }))
        .where('project_id', '=', project)
        .where('revision', '=', expected)
        .returningAll()
        .executeTakeFirst();
      if (moved === undefined) throw new Error('the head has moved since it was read');
      const left = former?.session_id ?? null;
      if (left !== null && left !== moved.session_id) await supersede(trx, now(), left, by);
      const reason = moved.version === null ? null : `version ${moved.version}`;
      await addAudit(trx, now(), { ...by, sessionId: moved.session_id, event: 'head_moved', reason });
      return {
        version: moved.version,
        session: moved.session_id,
        commit: moved.commit_id,
        revision: moved.revision,
      };
    },
  };
}
