import {
  type AgentEvent,
  AgentStartFailed,
  collectAnswer,
  isEndpointFault,
  type Usage,
} from '../agent/agent.ts';
import { newEntryId } from '../base/ids.ts';
import type { ConversationKey, Lease } from '../base/terms.ts';
import type { Bot, DoubleTexting, NoticeDetails } from '../bots/bots.ts';
import type { ClaimMode, InboxMessage } from '../inbox/inbox.ts';
import type { OpenSession, SessionPlan } from '../session/session.ts';
import { bookedTo, commitTurn, finishMessages } from './commit-turn.ts';
import { decideEnd } from './decide-end.ts';
import { findUsedUp } from './find-used-up.ts';
import { saveLongTexts } from './long-texts.ts';
import { toPrompt } from './prompt.ts';
import { noticeTo, replyTo } from './replies.ts';
import { type Screening, screen } from './screen.ts';
import type { AbortReason, TurnDeps, TurnOutcome, TurnWatch } from './turn.ts';
import { report, toRecord } from './turn-record.ts';

/** One turn: a conversation's next message in, its replies out, committed together. Throws `LeaseLost`. */
export async function runTurn(lease: Lease, watch: TurnWatch, deps: TurnDeps): Promise<TurnOutcome> {
  const next = await deps.inbox.peek(lease.conversation);
  if (next === null) return { kind: 'idle' };
  const bot = deps.bots.get(next.botId);
  const screening: Screening =
    bot === null ? { kind: 'ignore', reason: 'not_allowed' } : await screenNext(next, bot, deps);
  if (screening.kind === 'ignore' || bot === null) return ignore(lease, next, screening, deps);
  if (screening.kind === 'notice') return answerWithNotice(lease, next, bot, screening.notice, deps);

  const plan = await deps.sessions.plan(lease, bot);
  const found = await settleFoundAnswer(plan, deps);
  if (found !== null) return found;
  const budget = await findUsedUp(plan, next, deps);
  if (budget !== null) return answerWithNotice(lease, next, bot, 'budget_reached', deps, { budget });
  return askAgent(plan, next, watch, deps);
}

async function screenNext(message: InboxMessage, bot: Bot, deps: TurnDeps): Promise<Screening> {
  const authorIsBot = await deps.isBot(message);
  const now = deps.clock.now();
  const screening = screen({
    message,
    bot,
    authorIsBot,
    botTurns: deps.loopBreaker.count(message.roomId, now),
    now,
    maxAgeMs: deps.limits.maxAgeMs,
  });
  // An attempt that is repeated is the same turn.
  if (screening.kind === 'run' && message.attempts === 0)
    deps.loopBreaker.started(message.roomId, authorIsBot === true, now);
  return screening;
}

async function ignore(
  lease: Lease,
  message: InboxMessage,
  screening: Screening,
  deps: TurnDeps,
): Promise<TurnOutcome> {
  const reason = screening.kind === 'ignore' ? screening.reason : 'not_allowed';
  await deps.inbox.ignore(lease, message.id, reason);
  return { kind: 'ran', outcome: `ignored-${reason}` };
}

async function answerWithNotice(
  lease: Lease,
  message: InboxMessage,
  bot: Bot,
  notice: 'help' | 'overloaded' | 'budget_reached',
  deps: TurnDeps,
  details: NoticeDetails = {},
): Promise<TurnOutcome> {
  await deps.store.transaction(lease, async (tx) => {
    if (notice === 'overloaded') await tx.inbox.bury([message.id], 'too_old');
    else await tx.inbox.settle([message.id], 'notice');
    await tx.outbox.add([noticeTo(message, notice, bot, deps.noticeText, details)]);
  });
  deps.owed();
  return { kind: 'ran', outcome: notice };
}

/** An attempt whose answer was finished but never settled is settled now; the model is not asked twice. */
async function settleFoundAnswer(plan: SessionPlan, deps: TurnDeps): Promise<TurnOutcome | null> {
  const { tail, record, lease, bot } = plan;
  if (tail.kind !== 'answered' || record === null) return null;
  const messages = await deps.inbox.claimAnswered(lease, tail.promptId);
  const first = messages[0];
  if (first === undefined) return null;

  const now = deps.clock.now();
  const usage: Usage = {
    costUsd: 0,
    inputTokens: tail.tokens.input,
    outputTokens: tail.tokens.output,
    cacheReadTokens: tail.tokens.cacheRead,
    cacheWriteTokens: tail.tokens.cacheWrite,
  };
  const { sessionId, lastTier: tier, lastStart: start } = record;
  await deps.store.transaction(lease, async (tx) => {
    await tx.ledger.add({ ...bookedTo(first), sessionId, outcome: 'found', usage, at: now });
    await tx.inbox.settle(
      messages.map((message) => message.id),
      'answered',
    );
    await tx.outbox.add([replyTo(first, 'reply', tail.text)]);
    await tx.sessions.settle({ sessionId, settledEntry: tail.lastEntry, tier, start, costUsd: 0, at: now });
  });
  deps.owed();
  deps.telemetry.log.info(
    { conversation: lease.conversation, bot: bot.id },
    'settled an answer found in the transcript',
  );
  return { kind: 'ran', outcome: 'found' };
}

async function askAgent(
  plan: SessionPlan,
  next: InboxMessage,
  watch: TurnWatch,
  deps: TurnDeps,
): Promise<TurnOutcome> {
  const { clock, inbox } = deps;
  const { lease, bot } = plan;
  const begunAt = clock.now();
  const session = await openOrNull(plan, deps);
  const openedAt = clock.now();

  const promptId = newEntryId();
  // While the process came up the message may have been dropped: whatever is next then gets a turn of its own.
  const messages = await claimOrAbandon(session, () =>
    inbox.claim(lease, claimModeOf(bot.doubleTexting, watch.abort.aborted), promptId, next.id),
  );
  const first = messages[0];
  if (first === undefined) {
    await session?.abandon();
    return { kind: 'idle' };
  }
  watch.claimed();
  if (session === null) return giveBackUnstarted(plan, messages, deps);

  deps.publish({
    type: 'turn.started',
    conversation: lease.conversation,
    tier: session.tier,
    start: session.start,
    reason: session.reason,
  });
  const prompt = {
    id: promptId,
    fence: lease.fence,
    text: toPrompt(messages, {
      inWords: deps.inWords,
      cutOffToolCalls: cutOffToolCalls(session.plan, messages),
      recap: session.plan.recap,
      files: await saveLongTexts(messages, bot, deps),
    }),
  };
  const limits = { ...deps.limits, turnTimeoutMs: bot.turnTimeoutMs };
  const answer = await collectAnswer<AbortReason>(session.agent, prompt, limits, {
    clock,
    signal: watch.abort,
    onEvent: (event) => publishEvent(event, lease.conversation, deps),
  });

  // Nobody can tell a silent endpoint from a silent process: the next attempt has both anew.
  const isEndpointToBlame = isEndpointFault(answer.end) || answer.interruption === 'silent';
  const end = decideEnd({
    end: answer.end,
    interruption: answer.interruption,
    attempt: first.attempts,
    now: clock.now(),
    canFallBack: isEndpointToBlame && session.endpointFailed(),
  });
  const record = toRecord({ session, messages, answer, end, begunAt, openedAt, endedAt: clock.now() });
  await commitTurn({ session, messages, answer, end, record }, watch, deps);
  report(record, answer, deps);
  if (end.kind === 'settle')
    await deps.sessions.compactIfFull(lease, answer.contextTokens, bot.compactAboveTokens);
  return { kind: 'ran', outcome: end.outcome };
}

/** Tools that dropped attempts at these messages had called; what others were asked does not concern them. */
function cutOffToolCalls({ tail }: SessionPlan, messages: readonly InboxMessage[]): readonly string[] {
  if (tail.kind !== 'unfinished') return [];
  const asked = new Set(tail.promptIds);
  return messages.some(({ promptId }) => promptId !== null && asked.has(promptId)) ? tail.toolCalls : [];
}

/** A turn that is to be stopped takes what it was begun for and nothing that came later. */
function claimModeOf(doubleTexting: DoubleTexting, isAborted: boolean): ClaimMode {
  const joins = doubleTexting === 'merge' || doubleTexting === 'interrupt';
  return joins && !isAborted ? 'same-author' : 'one';
}

async function openOrNull(plan: SessionPlan, deps: TurnDeps): Promise<OpenSession | null> {
  try {
    return await deps.sessions.open(plan);
  } catch (error) {
    if (!(error instanceof AgentStartFailed)) throw error;
    deps.telemetry.log.error(
      { conversation: plan.lease.conversation, error: error.message },
      'an agent did not start',
    );
    return null;
  }
}

async function claimOrAbandon<Result>(
  session: OpenSession | null,
  claim: () => Promise<Result>,
): Promise<Result> {
  try {
    return await claim();
  } catch (error) {
    await session?.abandon();
    throw error;
  }
}

/** No process came up: the attempt counts, the message waits, the room hears of it when it is given up. */
async function giveBackUnstarted(
  plan: SessionPlan,
  messages: readonly InboxMessage[],
  deps: TurnDeps,
): Promise<TurnOutcome> {
  const attempt = messages[0]?.attempts ?? 1;
  const end = decideEnd({
    end: { kind: 'died', detail: 'not started', text: '' },
    interruption: 'none',
    attempt,
    now: deps.clock.now(),
    canFallBack: false,
  });
  await deps.store.transaction(plan.lease, (tx) => finishMessages(tx, messages, end, plan.bot, deps));
  deps.owed();
  return { kind: 'ran', outcome: 'not-started' };
}

function publishEvent(event: AgentEvent, conversation: ConversationKey, deps: TurnDeps): void {
  if (event.kind === 'text-delta') deps.publish({ type: 'text.delta', conversation, text: event.text });
  if (event.kind === 'tool-started') deps.publish({ type: 'tool.started', conversation, name: event.name });
  if (event.kind === 'tool-finished')
    deps.publish({ type: 'tool.finished', conversation, failed: event.failed });
}
