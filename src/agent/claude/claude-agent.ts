import { type Clock, within } from '../../base/clock.ts';
import { toError } from '../../base/errors.ts';
import type { AgentId, Fence, SessionId } from '../../base/terms.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import type { Agent, AgentEvent, Compaction, Prompt } from '../agent.ts';
import type { ClaudeProcess } from './claude-process.ts';
import { type Before, type ClaudeTurn, makeClaudeTurn } from './claude-turn.ts';
import { compact } from './compaction.ts';
import { NO_USAGE } from './usage.ts';

export type ClaudeAgentDeps = {
  readonly id: AgentId;
  readonly start: Agent['start'];
  readonly sessionId: SessionId;
  /** `AgentSpec.maxBudgetUsd` */
  readonly budgetUsd: number | undefined;
  readonly clock: Clock;
  readonly compactionLimitMs: number;
  readonly log: Telemetry['log'];
  readonly metrics: Telemetry['metrics'];
  /** The family has ended and the home is deleted. */
  readonly onClosed: () => Promise<void>;
};

/** An idle process ends in some thirty milliseconds when it is told that no more prompts come. */
const GOODBYE_LIMIT_MS = 2_000;

/**
 * One live process:
 *
 *   idle ⇄ in a turn, or compacting
 *   idle ──close, or it exits──▶ closing ──family empty, home deleted──▶ closed
 *   in a turn ──close, it exits, or nobody listens any more──▶ closing, and the turn has `died`
 *   compacting ──it fails──▶ closing
 */
export function makeClaudeAgent(claude: ClaudeProcess, deps: ClaudeAgentDeps): Agent {
  const { clock, log } = deps;
  let turn: ClaudeTurn | null = null;
  let compacting = false;
  let exited = false;
  let closing: Promise<void> | null = null;
  let before: Before = { sessionId: deps.sessionId, total: NO_USAGE };

  const isBusy = () => turn !== null || compacting;

  async function end(): Promise<void> {
    claude.prompts.end();
    if (!isBusy()) await within(clock, GOODBYE_LIMIT_MS, claude.watched.ended);
    await claude.remove();
    await deps.onClosed();
  }

  function close(): Promise<void> {
    closing ??= end();
    return closing;
  }

  /** Nobody waits for the end of a process that went by itself. */
  function closeByItself(): void {
    close().catch((error: unknown) => {
      log.error({ agent: deps.id, reason: toError(error).message }, 'an agent did not end');
    });
  }

  claude.watched.ended.then(() => {
    exited = true;
    if (!isBusy()) closeByItself();
  });

  /** False while a turn runs, and after one that left an agent that nobody may use: the agent closes by itself then. */
  let isTrusted = true;
  const isAlive = () => !exited && closing === null;

  /** The SDK's budget is the process's, so the next turn would have too little of it. */
  const isHalfSpent = (costUsd: number) => deps.budgetUsd !== undefined && costUsd * 2 > deps.budgetUsd;

  /** What the turn's last event leaves behind. */
  function settle(event: Extract<AgentEvent, { kind: 'ended' }>): void {
    before = { sessionId: event.sessionId, total: event.cumulative };
    isTrusted = event.end.kind !== 'died' && !isHalfSpent(event.cumulative.costUsd);
    turn = null;
  }

  async function* send(prompt: Prompt): AsyncGenerator<AgentEvent> {
    if (isBusy()) throw new Error('an agent runs one turn at a time');
    if (!isAlive()) return yield died(before);
    turn = makeClaudeTurn(claude, prompt, before, deps);
    isTrusted = false;
    try {
      for await (const event of turn.events) {
        if (event.kind === 'ended') settle(event);
        yield event;
      }
    } finally {
      turn = null;
      if (exited || !isTrusted) closeByItself();
    }
  }

  async function shorten(fence: Fence): Promise<Compaction> {
    if (isBusy()) throw new Error('an agent compacts between turns');
    if (!isAlive()) return notCompacted(before);
    compacting = true;
    const { compaction, cumulative } = await compact(claude, fence, before, deps);
    before = { sessionId: compaction.sessionId, total: cumulative };
    compacting = false;
    // Whoever closes it once more hears what went wrong with that.
    if (compaction.kind === 'failed') await close().catch(() => {});
    else if (exited || isHalfSpent(cumulative.costUsd)) closeByItself();
    return compaction;
  }

  return {
    id: deps.id,
    pid: claude.pid,
    start: deps.start,
    get alive() {
      return isAlive();
    },
    send,
    interrupt: async () => await turn?.interrupt(),
    compact: shorten,
    close,
  };
}

function notCompacted({ sessionId }: Before): Compaction {
  return { kind: 'failed', usage: NO_USAGE, sessionId, lastEntry: null, tokens: null };
}

function died({ sessionId, total }: Before): AgentEvent {
  const end = { kind: 'died', detail: 'it had ended before this turn', text: '' } as const;
  return {
    kind: 'ended',
    end,
    usage: NO_USAGE,
    cumulative: total,
    sessionId,
    contextTokens: null,
    lastEntry: null,
  };
}
