import type { CollectedAnswer } from '../agent/agent.ts';
import type { Instant } from '../base/terms.ts';
import type { FinishedTurn } from './commit-turn.ts';
import type { AbortReason, TurnDeps, TurnRecord } from './turn.ts';

/** What the turn was and how long its parts took. */
export function toRecord(
  turn: Omit<FinishedTurn, 'record'> & { begunAt: Instant; openedAt: Instant; endedAt: Instant },
): TurnRecord {
  const { session, messages, answer } = turn;
  const { plan } = session;
  const first = messages[0];
  return {
    conversation: plan.lease.conversation,
    botId: plan.bot.id,
    sessionId: answer.sessionId,
    inboxIds: messages.map((message) => message.id),
    tier: session.tier,
    start: session.start,
    reason: session.reason,
    outcome: turn.end.outcome,
    attempt: first?.attempts ?? 1,
    endedAt: turn.endedAt,
    waitedMs: turn.begunAt - (first?.acceptedAt ?? turn.begunAt),
    openedMs: turn.openedAt - turn.begunAt,
    firstTextMs: answer.firstTextAt === null ? null : answer.firstTextAt - answer.sentAt,
    answeredMs: turn.endedAt - answer.sentAt,
  };
}

/** Tells metrics, log and watchers of a turn that has committed. */
export function report(record: TurnRecord, answer: CollectedAnswer<AbortReason>, deps: TurnDeps): void {
  const { metrics, log } = deps.telemetry;
  const { conversation, tier, start, outcome } = record;
  metrics.turns.inc({ tier, start, outcome });
  metrics.turnSeconds.observe({ tier }, record.answeredMs / 1000);
  if (record.firstTextMs !== null) metrics.firstTextSeconds.observe({ tier }, record.firstTextMs / 1000);
  metrics.costUsd.inc({ bot: record.botId }, Math.max(0, answer.usage.costUsd));
  metrics.tokens.inc({ kind: 'input' }, answer.usage.inputTokens);
  metrics.tokens.inc({ kind: 'output' }, answer.usage.outputTokens);
  // Its agent has counted it.
  if (answer.memoryAtRisk)
    log.error({ conversation }, 'the transcript of a turn did not reach the store whole');
  const detail = 'detail' in answer.end ? { detail: answer.end.detail } : {};
  log.info(
    {
      conversation,
      tier,
      start,
      outcome,
      openedMs: record.openedMs,
      answeredMs: record.answeredMs,
      ...detail,
    },
    'turn',
  );
  deps.publish({
    type: outcome === 'answered' ? 'turn.finished' : 'turn.failed',
    conversation,
    turn: record,
    outcome,
  });
}
