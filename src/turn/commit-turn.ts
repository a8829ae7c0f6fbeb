import { type CollectedAnswer, isSessionFault } from '../agent/agent.ts';
import { LeaseLost, unreachable } from '../base/errors.ts';
import type { Bot } from '../bots/bots.ts';
import type { InboxMessage } from '../inbox/inbox.ts';
import type { OpenSession, SessionPlan } from '../session/session.ts';
import type { TurnEnd } from './decide-end.ts';
import { noticeTo, replyTo } from './replies.ts';
import type { AbortReason, LedgerEntry, TurnDeps, TurnRecord, TurnTransaction, TurnWatch } from './turn.ts';

export type FinishedTurn = {
  readonly session: OpenSession;
  readonly messages: readonly InboxMessage[];
  readonly answer: CollectedAnswer<AbortReason>;
  readonly end: TurnEnd;
  readonly record: TurnRecord;
};

/** Everything that the turn changes, in one fenced transaction; then the process is kept or ended to match. */
export async function commitTurn(turn: FinishedTurn, watch: TurnWatch, deps: TurnDeps): Promise<void> {
  const { session, messages, answer, end, record } = turn;
  const { plan } = session;
  const first = messages[0];
  if (first === undefined) throw new Error('a turn has messages');
  // A dead process may have left a dangling entry behind: the session then stays at its last settled one.
  const settledEntry = end.kind === 'settle' && answer.end.kind !== 'died' ? answer.lastEntry : null;
  const settled = settledEntry && {
    sessionId: answer.sessionId,
    settledEntry,
    tier: session.tier,
    start: session.start,
    costUsd: answer.usage.costUsd,
    at: record.endedAt,
  };
  const { sessionId, usage } = answer;
  const attempt = { ...bookedTo(first), sessionId, usage, at: record.endedAt };
  try {
    const commit = async (tx: TurnTransaction): Promise<void> => {
      await tx.ledger.add({ ...attempt, outcome: end.outcome });
      await tx.turns.add(record);
      if (settled && isLossToTell(plan))
        await tx.outbox.add([noticeTo(first, 'fresh_start', plan.bot, deps.noticeText)]);
      await finishMessages(tx, messages, end, plan.bot, deps, end.kind === 'settle' ? end.text : null);
      if (settled) await tx.sessions.settle(settled);
      if (answer.memoryAtRisk) await tx.sessions.atRisk(record.endedAt);
    };
    await deps.deliver(first, (mayClaim) =>
      deps.store.transaction(plan.lease, async (tx) => {
        await commit(tx);
        return mayClaim ? tx.outbox.claim(first) : null;
      }),
    );
  } catch (error) {
    await session.abandon();
    if (error instanceof LeaseLost && wasReset(watch))
      await deps.ledger.add({ ...attempt, outcome: 'reset' });
    throw error;
  }
  watch.committed();
  if (isFromEndpoint(answer)) session.endpointAnswered();
  if (settled) return session.keep(settled);
  const isToBlame = answer.interruption === 'none' && isSessionFault(answer.end, answer.wasHeard);
  await session.abandon(isToBlame ? 'session-failed' : undefined);
  if (answer.end.kind === 'no-transcript') await deps.sessions.lose(plan);
}

/** Whoever resets a conversation here stops its turn first and then takes its lease: no other server has it. */
function wasReset({ abort }: TurnWatch): boolean {
  const reason: AbortReason | undefined = abort.reason;
  return reason === 'stopped' || reason === 'stopped-by-command';
}

/** A turn that was cut short before the first word says nothing of its endpoint. */
function isFromEndpoint({ end, firstTextAt }: CollectedAnswer<AbortReason>): boolean {
  if (end.kind === 'answered' || end.kind === 'limit') return true;
  return end.kind === 'interrupted' && firstTextAt !== null;
}

/** A conversation whose memory is gone starts afresh: its room is told once, where the bot file wants that. */
function isLossToTell({ bot, isLoss }: SessionPlan): boolean {
  return bot.recap && isLoss;
}

export async function finishMessages(
  tx: TurnTransaction,
  messages: readonly InboxMessage[],
  end: TurnEnd,
  bot: Bot,
  deps: TurnDeps,
  text: string | null = null,
): Promise<void> {
  const ids = messages.map((message) => message.id);
  const first = messages[0];
  if (first === undefined) return;
  const replies = text === null ? [] : [replyTo(first, 'reply', text)];
  if (end.notice !== null) replies.push(noticeTo(first, end.notice, bot, deps.noticeText));
  await tx.outbox.add(replies);
  switch (end.kind) {
    case 'settle':
      return tx.inbox.settle(ids, text === null ? 'notice' : 'answered');
    case 'give-back':
      return tx.inbox.giveBack(ids, end);
    case 'bury':
      return tx.inbox.bury(ids, end.reason);
    default:
      return unreachable(end);
  }
}

/** Whom an attempt is booked to. */
export function bookedTo(message: InboxMessage): Pick<LedgerEntry, 'conversation' | 'botId' | 'userId'> {
  return { conversation: message.conversation, botId: message.botId, userId: message.userId };
}
