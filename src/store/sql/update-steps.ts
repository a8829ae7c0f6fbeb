import { type Checkpoint, PROGRESS, type UpdateTransaction } from '../../projects/projects.ts';
import { toCheckpoint } from './update-rows.ts';
import type { UpdateScope } from './update-scope.ts';

/** Keyed by update, kind and attempt: a step that begins again in the same attempt takes its own row. */
export function makeUpdateSteps(scope: UpdateScope): UpdateTransaction['steps'] {
  const { trx, project, update, now } = scope;

  function own() {
    return trx.updateTable('update_steps').where('update_id', '=', update.id);
  }

  async function merged(kind: Parameters<UpdateTransaction['steps']['end']>[0], more: Checkpoint) {
    const row = await trx
      .selectFrom('update_steps')
      .select('checkpoint')
      .where('update_id', '=', update.id)
      .where('kind', '=', kind)
      .where('attempt', '=', update.attempt)
      .executeTakeFirst();
    return JSON.stringify({ ...(row === undefined ? {} : toCheckpoint(row)), ...more });
  }

  return {
    async begin(kind, inputSession, checkpoint) {
      const begun = {
        state: 'running',
        input_session: inputSession,
        output_session: null,
        checkpoint: JSON.stringify(checkpoint),
        started_at: now(),
        finished_at: null,
      } as const;
      await trx
        .insertInto('update_steps')
        .values({ update_id: update.id, project_id: project, kind, attempt: update.attempt, ...begun })
        .onConflict((conflict) => conflict.columns(['update_id', 'kind', 'attempt']).doUpdateSet(begun))
        .execute();
      await trx.updateTable('updates').set({ step: kind }).where('id', '=', update.id).execute();
      await scope.event('step.started', PROGRESS[kind], { step: kind });
    },

    async end(kind, state, { outputSession, checkpoint }) {
      const ended = await own()
        .set({
          state,
          finished_at: now(),
          output_session: outputSession,
          checkpoint: checkpoint && (await merged(kind, checkpoint)),
        })
        .where('kind', '=', kind)
        .where('attempt', '=', update.attempt)
        .where('state', '=', 'running')
        .returning('kind')
        .executeTakeFirst();
      if (ended === undefined) throw new Error(`step ${kind} of update ${update.id} does not run`);
      await scope.event('step.finished', null, { step: kind, state });
    },

    async interrupt() {
      await own().set({ state: 'interrupted', finished_at: now() }).where('state', '=', 'running').execute();
    },
  };
}
