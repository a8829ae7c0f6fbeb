import type { RunEnd } from '../decide-run-end.ts';
import type { AgentRun } from '../run-agent.ts';
import type { Run } from '../terms.ts';
import type { Halt, Work } from '../work.ts';

/** What the end of a run that does not count means for its update. */
export function haltOf(end: RunEnd, run: AgentRun): Halt {
  const detail = run.row.detail ?? end.outcome;
  switch (end.kind) {
    case 'again':
      return { ...end, detail };
    case 'fail':
      return { kind: 'fail', code: end.error, detail };
    case 'fall-back':
      return { kind: 'fail', code: 'agent_failed', detail };
    default:
      return { kind: 'stop' };
  }
}

/** Counts the run; an endpoint that refuses our credential is for the operator to see. */
export function observeRun(run: AgentRun, end: RunEnd, purpose: Run['purpose'], { deps, claim }: Work): void {
  const { metrics, log } = deps.telemetry;
  metrics.projectRuns.inc({ purpose, outcome: end.outcome });
  const { inputTokens, outputTokens } = run.row.usage;
  metrics.tokens.inc({ kind: 'input' }, inputTokens);
  metrics.tokens.inc({ kind: 'output' }, outputTokens);
  const { end: said } = run.facts;
  if (said.kind === 'api-error' && (said.status === 401 || said.status === 403))
    log.error({ update: claim.update.id, status: said.status }, 'the endpoint refuses our credential');
}
