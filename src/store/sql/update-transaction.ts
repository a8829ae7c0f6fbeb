import type { Clock } from '../../base/clock.ts';
import { botId, type Instant, userId } from '../../base/terms.ts';
import {
  type Claim,
  type ProjectId,
  projectKey,
  type Run,
  type UpdateTransaction,
} from '../../projects/projects.ts';
import type { Tx } from '../database.ts';
import { addToLedger } from './ledger.ts';
import { addAudit, addEvent } from './update-events.ts';
import { makeUpdateHead, makeUpdateVersions } from './update-head.ts';
import type { UpdateScope } from './update-scope.ts';
import { makeUpdateSessions } from './update-sessions.ts';
import { makeUpdateState } from './update-state.ts';
import { makeUpdateSteps } from './update-steps.ts';

/** No bot has such a name: what projects cost is nobody's use of a bot. */
const LEDGER_BOT = '#project';

export function makeUpdateTransaction(trx: Tx, claim: Claim, clock: Clock): UpdateTransaction {
  const { update, project } = claim;
  const scope: UpdateScope = {
    trx,
    project: project.id,
    update,
    now: clock.now,
    by: { projectId: project.id, actor: 'server', userId: update.userId, updateId: update.id },
    event: (type, progress, payload) =>
      addEvent(trx, { updateId: update.id, at: clock.now(), type, progress, payload }),
  };
  return {
    update: makeUpdateState(scope),
    steps: makeUpdateSteps(scope),
    runs: makeUpdateRuns(scope),
    sessions: makeUpdateSessions(scope),
    versions: makeUpdateVersions(scope),
    head: makeUpdateHead(scope),
    events: { add: scope.event },
    audit: { add: (entry) => addAudit(trx, clock.now(), { ...scope.by, ...entry }) },
    project: {
      async freeze() {
        await trx
          .updateTable('projects')
          .set({ state: 'frozen' })
          .where('id', '=', project.id)
          .where('state', '=', 'active')
          .execute();
      },
    },
  };
}

function makeUpdateRuns({ trx, project, update, now }: UpdateScope): UpdateTransaction['runs'] {
  return {
    async begin({ purpose, mode, sessionId }) {
      const nothing = { cost_usd: 0, input_tokens: 0, output_tokens: 0, steps: 0, without_cost: 0 };
      const { id } = await trx
        .insertInto('update_runs')
        .values({
          ...nothing,
          cache_read_tokens: 0,
          cache_write_tokens: 0,
          update_id: update.id,
          project_id: project,
          purpose,
          mode,
          session_id: sessionId,
          outcome: 'running',
          started_at: now(),
        })
        .returning('id')
        .executeTakeFirstOrThrow();
      return id;
    },

    async end(id, { usage, ...end }) {
      const ended = await trx
        .updateTable('update_runs')
        .set({
          reported_session_id: end.reportedSessionId,
          outcome: end.outcome,
          detail: end.detail,
          cost_usd: usage.costUsd,
          input_tokens: usage.inputTokens,
          output_tokens: usage.outputTokens,
          cache_read_tokens: usage.cacheReadTokens,
          cache_write_tokens: usage.cacheWriteTokens,
          without_cost: usage.runsWithoutCost,
          steps: end.steps,
          first_text_at: end.firstTextAt,
          first_edit_at: end.firstEditAt,
          finished_at: now(),
        })
        .where('id', '=', id)
        .where('update_id', '=', update.id)
        .where('finished_at', 'is', null)
        .returning('session_id')
        .executeTakeFirst();
      if (ended === undefined) throw new Error(`run ${id} of update ${update.id} does not run`);
      const sessionId = end.reportedSessionId ?? ended.session_id;
      await book(trx, { project, userId: update.userId, sessionId, outcome: end.outcome, usage, at: now() });
    },
  };
}

async function book(
  trx: Tx,
  run: Pick<Run, 'sessionId' | 'outcome' | 'usage'> & {
    readonly project: ProjectId;
    readonly userId: string;
    readonly at: Instant;
  },
): Promise<void> {
  await addToLedger(trx, {
    conversation: projectKey(run.project),
    botId: botId(LEDGER_BOT),
    userId: userId(run.userId),
    sessionId: run.sessionId,
    outcome: run.outcome,
    usage: run.usage,
    at: run.at,
  });
}
