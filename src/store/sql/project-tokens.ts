import type { Selectable } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import { ADMIN_USER, type ProjectRecords, type ProjectToken } from '../../projects/projects.ts';
import type { Database } from '../database.ts';
import type { Schema } from '../schema.ts';

export function makeProjectTokens(
  database: Database,
  clock: Clock,
): Pick<ProjectRecords, 'addToken' | 'tokens' | 'revokeToken' | 'findToken' | 'mayWrite'> {
  const { read } = database;
  return {
    addToken({ projectId, userId, label, hash }) {
      return database.write(async (trx) => {
        const row = await trx
          .insertInto('project_tokens')
          .values({ project_id: projectId, user_id: userId, label, hash, created_at: clock.now() })
          .returningAll()
          .executeTakeFirstOrThrow();
        return toToken(row);
      });
    },

    async tokens(project) {
      const rows = await read
        .selectFrom('project_tokens')
        .selectAll()
        .where('project_id', '=', project)
        .orderBy('id')
        .execute();
      return rows.map(toToken);
    },

    async revokeToken(project, id) {
      const there = await database.write((trx) =>
        trx
          .updateTable('project_tokens')
          .set(({ fn, val }) => ({ revoked_at: fn.coalesce('revoked_at', val(clock.now())) }))
          .where('id', '=', id)
          .where('project_id', '=', project)
          .returning('id')
          .executeTakeFirst(),
      );
      return there !== undefined;
    },

    async findToken(hash) {
      const row = await read
        .selectFrom('project_tokens')
        .selectAll()
        .where('hash', '=', hash)
        .where('revoked_at', 'is', null)
        .executeTakeFirst();
      return row === undefined ? null : toToken(row);
    },

    async mayWrite(project, userId) {
      if (userId === ADMIN_USER) return true;
      if (userId === ADMIN_USER) return true;
      const owned = await read
        .selectFrom('projects')
        .select('id')
        .where('id', '=', project)
        .where('owner_id', '=', userId)
        .executeTakeFirst();
      if (owned !== undefined) return true;
      const token = await read
        .selectFrom('project_tokens')
        .select('id')
        .where('project_id', '=', project)
        .where('user_id', '=', userId)
        .where('revoked_at', 'is', null)
        .limit(1)
        .executeTakeFirst();
      return token !== undefined;
    },
  };
}

function toToken(row: Selectable<Schema['project_tokens']>): ProjectToken {
  return {
    id: row.id,
    projectId: row.project_id,
    userId: row.user_id,
    label: row.label,
    createdAt: row.created_at,
    revokedAt: row.revoked_at,
  };
}
