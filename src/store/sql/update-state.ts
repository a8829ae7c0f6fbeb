import { sql } from 'kysely';
import type { Degradation, TerminalEventType, Update, UpdateTransaction } from '../../projects/projects.ts';
import { toDegraded } from './update-rows.ts';
import type { UpdateScope } from './update-scope.ts';

const TERMINAL: Readonly<Record<'completed' | 'failed' | 'cancelled', TerminalEventType>> = {
  completed: 'update.completed',
  failed: 'update.failed',
  cancelled: 'update.cancelled',
};

export function makeUpdateState(scope: UpdateScope): UpdateTransaction['update'] {
  const { trx, update, now } = scope;

  /** Nothing but the update that runs is changed; `from` holds what it may be then. */
  function change(...from: readonly Update['status'][]) {
    return trx.updateTable('updates').where('id', '=', update.id).where('status', 'in', from).returning('id');
  }

  async function addDegraded(degraded: Degradation): Promise<string> {
    const row = await trx
      .selectFrom('updates')
      .select('degraded')
      .where('id', '=', update.id)
      .executeTakeFirstOrThrow();
    return JSON.stringify([...new Set([...toDegraded(row), degraded])]);
  }

  return {
    async set({ step, status, baseVersion, decision, outcome, degraded, fixTurns }) {
      const changed = await change('running', 'committed')
        // What is undefined stays as it is; the attempt always does, so that an empty change is a statement too.
        .set({
          attempt: sql<number>`attempt`,
          step,
          status,
          committed_at: status && sql<number>`coalesce(committed_at, ${now()})`,
          base_version: baseVersion,
          resume_decision: decision?.decision,
          resume_reason: decision?.reason,
          arm: decision?.arm,
          resume_outcome: outcome,
          degraded: degraded && (await addDegraded(degraded)),
          fix_turns: fixTurns,
        })
        .executeTakeFirst();
      if (changed === undefined) throw new Error(`update ${update.id} does not run`);
    },

    async requeue({ notBefore, reason, givesBackAttempt }) {
      const givenBack = {
        attempt: sql<number>`attempt - 1`,
        // As if it had not begun: the wait is not its own.
        started_at: null,
      };
      const queued = await change('running')
        .set({
          status: 'queued',
          not_before: notBefore,
          wait_reason: reason,
          ...(givesBackAttempt ? givenBack : {}),
        })
        .executeTakeFirst();
      if (queued === undefined) throw new Error(`update ${update.id} does not run`);
    },

    async end({ status, error, payload }) {
      // What is committed can only be completed.
      const from = status === 'completed' ? (['running', 'committed'] as const) : (['running'] as const);
      const ended = await change(...from)
        .set({
          status,
          finished_at: now(),
          error_code: error?.code ?? null,
          error_detail: error?.detail ?? null,
        })
        .executeTakeFirst();
      if (ended === undefined) throw new Error(`update ${update.id} cannot be ${status}`);
      await scope.event(TERMINAL[status], status === 'completed' ? 1 : null, payload);
    },
  };
}
