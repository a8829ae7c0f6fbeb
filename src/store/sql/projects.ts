import type { Clock } from '../../base/clock.ts';
import type { Policy, Project, ProjectRecords } from '../../projects/projects.ts';
import type { Database } from '../database.ts';
import {
  isHeld,
  lockProject,
  readProject,
  selectProjects,
  selectVersions,
  toProject,
  toSession,
  toVersion,
} from './project-rows.ts';
import { makeProjectTokens } from './project-tokens.ts';
import { purgeProject } from './purge-project.ts';
import { addAudit } from './update-events.ts';
import { supersede } from './update-sessions.ts';

export function makeProjectRecords(database: Database, clock: Clock): ProjectRecords {
  const { read } = database;
  return {
    ...makeProjectTokens(database, clock),
    ...makeProjectViews(database),

    create({ id, name, ownerId, policy }) {
      return database.write(async (trx) => {
        const created_at = clock.now();
        const row = { id, name, owner_id: ownerId, state: 'active', created_at } as const;
        await trx
          .insertInto('projects')
          .values({ ...row, policy: JSON.stringify(policy) })
          .execute();
        await trx.insertInto('project_heads').values({ project_id: id, revision: 0 }).execute();
        const audit = { projectId: id, actor: 'user', userId: ownerId, event: 'created' } as const;
        await addAudit(trx, created_at, audit);
        const head = { version: null, session: null, commit: null, revision: 0 };
        return { id, name, ownerId, state: 'active', policy, head, createdAt: created_at } as const;
      });
    },

    get: (id) => readProject(read, id),

    async list(after, limit) {
      const rows = await selectProjects(read)
        .$if(after !== null, (query) => query.where('projects.id', '>', after ?? ('' as Project['id'])))
        .orderBy('projects.id')
        .limit(limit)
        .execute();
      return rows.map(toProject);
    },

    change(id, change, actor) {
      return database.write(async (trx) => {
        await lockProject(trx, id);
        const former = await readProject(trx, id);
        if (former === null) return null;
        const changed = {
          ...former,
          name: change.name ?? former.name,
          policy: change.policy ?? former.policy,
          // There is no way back from being deleted.
          state: former.state === 'deleting' ? former.state : (change.state ?? former.state),
        };
        await trx
          .updateTable('projects')
          .set({ name: changed.name, state: changed.state, policy: JSON.stringify(changed.policy) })
          .where('id', '=', id)
          .execute();
        const flags = tellFlags(former.policy, changed.policy);
        if (flags !== null)
          await addAudit(trx, clock.now(), {
            projectId: id,
            actor,
            event: 'flag_changed',
            reason: flags,
          });
        return changed;
      });
    },

    purge: (id) => purgeProject(database, clock, id),

    resetSession(id, userId) {
      return database.write(async (trx) => {
        await lockProject(trx, id);
        const project = await readProject(trx, id);
        if (project === null || (await isHeld(trx, id))) return false;
        const at = clock.now();
        const { session } = project.head;
        const by = { projectId: id, actor: 'user', userId } as const;
        await trx
          .updateTable('project_heads')
          .set(({ eb }) => ({ session_id: null, revision: eb('revision', '+', 1) }))
          .where('project_id', '=', id)
          .execute();
        if (session !== null) await supersede(trx, at, session, by);
        await addAudit(trx, at, { ...by, sessionId: session, event: 'reset' });
        return true;
      });
    },
  };
}

/** What changed of what decides whether updates resume; null: nothing. */
function tellFlags(former: Policy, now: Policy): string | null {
  if (former.resume === now.resume && former.holdout_percent === now.holdout_percent) return null;
  return `resume ${now.resume}, holdout ${now.holdout_percent} %`;
}

function makeProjectViews({
  read,
}: Database): Pick<ProjectRecords, 'version' | 'versions' | 'session' | 'audit'> {
  return {
    async version(project, no) {
      const row = await selectVersions(read, project).where('no', '=', no).executeTakeFirst();
      return row === undefined ? null : toVersion(row);
    },

    async versions(project, before, limit) {
      const rows = await selectVersions(read, project)
        .$if(before !== null, (query) => query.where('no', '<', before ?? 0))
        .orderBy('no', 'desc')
        .limit(limit)
        .execute();
      return rows.map(toVersion);
    },

    async session(project, id) {
      const row = await read
        .selectFrom('project_sessions')
        .selectAll()
        .where('session_id', '=', id)
        .where('project_id', '=', project)
        .executeTakeFirst();
      return row === undefined ? null : toSession(row);
    },

    async audit(project, after, limit) {
      const rows = await read
        .selectFrom('project_audit')
        .selectAll()
        .where('project_id', '=', project)
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        id: row.id,
        at: row.at,
        projectId: row.project_id,
        actor: row.actor,
        userId: row.user_id,
        updateId: row.update_id,
        sessionId: row.session_id,
        event: row.event,
        reason: row.reason,
      }));
    },
  };
}
