/** Rows of projects as the nouns that the ports speak of. */
import type { Selectable } from 'kysely';
import {
  type Project,
  type ProjectId,
  type ProjectSession,
  policySchema,
  type Recommendation,
  type Version,
} from '../../projects/projects.ts';
import type { Tx } from '../database.ts';
import type { Schema } from '../schema.ts';
import { lockAgainstChange } from './locks.ts';

/** Inside a transaction, or of what is committed. */
export type Reader = Pick<Tx, 'selectFrom'>;

export function selectProjects(db: Reader) {
  return db
    .selectFrom('projects')
    .innerJoin('project_heads', 'project_heads.project_id', 'projects.id')
    .select([
      'projects.id',
      'projects.name',
      'projects.owner_id',
      'projects.state',
      'projects.policy',
      'projects.created_at',
      'project_heads.version',
      'project_heads.session_id',
      'project_heads.commit_id',
      'project_heads.revision',
    ]);
}

type ProjectRow = Awaited<ReturnType<ReturnType<typeof selectProjects>['execute']>>[number];

export function toProject(row: ProjectRow): Project {
  return {
    id: row.id,
    name: row.name,
    ownerId: row.owner_id,
    state: row.state,
    // Through the schema: a field that came later has its default.
    policy: policySchema.parse(JSON.parse(row.policy)),
    head: { version: row.version, session: row.session_id, commit: row.commit_id, revision: row.revision },
    createdAt: row.created_at,
  };
}

export async function readProject(db: Reader, id: ProjectId): Promise<Project | null> {
  const row = await selectProjects(db).where('projects.id', '=', id).executeTakeFirst();
  return row === undefined ? null : toProject(row);
}

/** Its state, with nobody else changing the project or adding an update to it until the transaction ends. */
export async function lockProject(trx: Tx, id: ProjectId): Promise<Project['state'] | null> {
  const row = trx.selectFrom('projects').select('state').where('id', '=', id);
  return (await lockAgainstChange(trx, row).executeTakeFirst())?.state ?? null;
}

/** Whether an update runs or is committed and goes on. */
export async function isHeld(db: Reader, id: ProjectId): Promise<boolean> {
  const holder = await db
    .selectFrom('updates')
    .select('id')
    .where('project_id', '=', id)
    .where('finished_at', 'is', null)
    .where('status', 'in', ['running', 'committed'])
    .limit(1)
    .executeTakeFirst();
  return holder !== undefined;
}

export function toSession(row: Selectable<Schema['project_sessions']>): ProjectSession {
  return {
    sessionId: row.session_id,
    projectId: row.project_id,
    parentId: row.parent_id,
    origin: row.origin,
    state: row.state,
    settledEntry: row.settled_entry,
    tree: row.tree,
    agentVersion: row.agent_version,
    model: row.model,
    contextTokens: row.context_tokens,
    failures: row.failures,
    createdBy: row.created_by,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
  };
}

export function selectVersions(db: Reader, project: ProjectId) {
  return db
    .selectFrom('project_versions')
    .innerJoin('updates', 'updates.id', 'project_versions.update_id')
    .selectAll('project_versions')
    .select(['updates.kind', 'updates.prompt', 'updates.user_id'])
    .where('project_versions.project_id', '=', project);
}

type VersionRow = Awaited<ReturnType<ReturnType<typeof selectVersions>['execute']>>[number];

export function toVersion(row: VersionRow): Version {
  return {
    projectId: row.project_id,
    no: row.no,
    parentNo: row.parent_no,
    restoredNo: row.restored_no,
    updateId: row.update_id,
    kind: row.kind,
    commit: row.commit_id,
    tree: row.tree,
    editSession: row.edit_session,
    finalSession: row.final_session,
    prompt: row.prompt,
    changes: { files: row.files_changed, added: row.lines_added, removed: row.lines_removed },
    metadata: {
      state: row.metadata_state,
      title: row.title,
      description: row.description,
      changeType: row.change_type,
      // Written by `versions.describe`.
      recommendations: JSON.parse(row.recommendations) as readonly Recommendation[],
      documentation: row.documentation,
    },
    createdBy: row.user_id,
    createdAt: row.created_at,
  };
}
