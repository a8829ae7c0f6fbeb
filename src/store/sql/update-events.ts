import type { Instant } from '../../base/terms.ts';
import type { AuditEntry, UpdateEvent, UpdateId } from '../../projects/projects.ts';
import type { Tx } from '../database.ts';

export type NewEvent = Pick<UpdateEvent, 'updateId' | 'at' | 'type' | 'payload'> & {
  /** Null: as far as before. */
  readonly progress: number | null;
};

/**
 * The next event of an update. Whoever adds one has the update to itself: its lease, or its row while it is queued.
 * The progress is never less than that of the event before.
 */
export async function addEvent(trx: Tx, event: NewEvent): Promise<void> {
  const last = await lastEvent(trx, event.updateId);
  await trx
    .insertInto('update_events')
    .values({
      update_id: event.updateId,
      seq: (last?.seq ?? 0) + 1,
      at: event.at,
      type: event.type,
      progress: Math.max(last?.progress ?? 0, event.progress ?? 0),
      payload: JSON.stringify(event.payload),
    })
    .execute();
}

function lastEvent(trx: Tx, update: UpdateId) {
  return trx
    .selectFrom('update_events')
    .select(['seq', 'progress'])
    .where('update_id', '=', update)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
}

export async function addAudit(
  trx: Tx,
  at: Instant,
  entry: Pick<AuditEntry, 'projectId' | 'actor' | 'event'> &
    Partial<Pick<AuditEntry, 'userId' | 'updateId' | 'sessionId' | 'reason'>>,
): Promise<void> {
  await trx
    .insertInto('project_audit')
    .values({
      at,
      project_id: entry.projectId,
      actor: entry.actor,
      user_id: entry.userId ?? null,
      update_id: entry.updateId ?? null,
      session_id: entry.sessionId ?? null,
      event: entry.event,
      reason: entry.reason ?? null,
    })
    .execute();
}
