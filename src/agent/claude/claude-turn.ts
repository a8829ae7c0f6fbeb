import type { SDKMessage, SDKResultMessage, SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';
import { type Clock, within } from '../../base/clock.ts';
import { toError } from '../../base/errors.ts';
import type { AgentId, SessionId } from '../../base/terms.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import type { AgentEnd, AgentEvent, Prompt, Usage } from '../agent.ts';
import { classifyResult } from './classify-result.ts';
import type { ClaudeProcess } from './claude-process.ts';
import { toDetail } from './detail.ts';
import { type Hold, makeTurnReader, type TurnReader } from './turn-reader.ts';
import { addUsage, cumulativeOf, usageBetween } from './usage.ts';

/** One turn of a live process. */
export type ClaudeTurn = {
  /** Sends the prompt when it is first asked; `ended` is the last event. Never throws. */
  readonly events: AsyncIterable<AgentEvent>;
  interrupt(): Promise<void>;
};

export type ClaudeTurnDeps = {
  readonly id: AgentId;
  readonly clock: Clock;
  readonly log: Telemetry['log'];
  readonly metrics: Telemetry['metrics'];
};

/** What the process had come to before this turn. */
export type Before = { readonly sessionId: SessionId; readonly total: Usage };

const INTERRUPT_LIMIT_MS = 5_000;
const EXIT_REPORT_LIMIT_MS = 1_000;

/** How the messages of a turn ended: with its result, or without one, for this reason. */
type Outcome = SDKResultMessage | string;

export function makeClaudeTurn(
  claude: ClaudeProcess,
  prompt: Prompt,
  before: Before,
  { id, clock, log, metrics }: ClaudeTurnDeps,
): ClaudeTurn {
  const reader = makeTurnReader(prompt.id);
  let sessionId = before.sessionId;
  let interruptWanted = false;

  async function interruptNow(): Promise<void> {
    // A process that cannot be asked any more ends its turn by ending.
    await within(clock, INTERRUPT_LIMIT_MS, claude.session.interrupt()).catch(() => {});
  }

  /** An interrupt that overtakes its prompt finds nothing to stop: it waits until the process has the prompt. */
  async function interruptIfWanted(): Promise<void> {
    if (!interruptWanted || !reader.received()) return;
    interruptWanted = false;
    await interruptNow();
  }

  async function* readMessages(): AsyncGenerator<AgentEvent, Outcome> {
    for (;;) {
      const message = await nextMessage(claude);
      if (message.type === 'gone') return message.why;
      sessionId = ('session_id' in message ? (message.session_id as SessionId) : undefined) ?? sessionId;
      const { events, result } = reader.read(message);
      yield* events;
      if (result !== null) return result;
      await interruptIfWanted();
    }
  }

  async function* run(): AsyncGenerator<AgentEvent> {
    claude.mirror.beginTurn({ conversation: claude.conversation, fence: prompt.fence });
    claude.prompts.push(toUserMessage(prompt));
    const outcome = yield* readMessages();
    const lastEntry = await claude.mirror.endTurn();
    if (claude.mirror.hasLost())
      yield { kind: 'memory-at-risk', detail: 'the store did not take all entries' };
    if (reader.atRisk() || claude.mirror.hasLost()) {
      metrics.memoryAtRisk.inc();
      log.warn({ agent: id }, 'entries of a turn did not reach the transcript store');
    }
    const end = await toEnd(claude, reader, outcome, clock);
    const usage =
      typeof outcome === 'string' ? reader.tokens() : usageBetween(before.total, cumulativeOf(outcome));
    const cumulative = addUsage(before.total, usage);
    const contextTokens = reader.contextTokens();
    yield { kind: 'ended', end, usage, cumulative, sessionId, contextTokens, lastEntry };
  }

  return {
    events: run(),
    async interrupt() {
      interruptWanted = true;
      await interruptIfWanted();
    },
  };
}

type Gone = { readonly type: 'gone'; readonly why: string };

/** What the process says next, or that it says nothing more. Never throws. */
export async function nextMessage(claude: ClaudeProcess): Promise<SDKMessage | Gone> {
  try {
    const next = await claude.session.next();
    return next.done ? { type: 'gone', why: 'it said nothing more' } : next.value;
  } catch (error) {
    return { type: 'gone', why: toError(error).message };
  }
}

async function toEnd(
  claude: ClaudeProcess,
  reader: TurnReader,
  outcome: Outcome,
  clock: Clock,
): Promise<AgentEnd> {
  if (claude.mirror.fencedOut()) return { kind: 'died', detail: 'the lease of its turn is lost', text: '' };
  if (typeof outcome === 'string')
    return { kind: 'died', detail: await describeDeath(claude, outcome, clock), text: reader.text() };
  const retryAfterMs = toDelayMs(reader.hold(), clock.now());
  return classifyResult({ result: outcome, text: reader.text(), retryAfterMs });
}

async function describeDeath(claude: ClaudeProcess, why: string, clock: Clock): Promise<string> {
  const ended = await within(clock, EXIT_REPORT_LIMIT_MS, claude.watched.ended);
  const how = ended === 'timed-out' ? 'still running' : ended.how;
  return toDetail([how, why, claude.watched.lastWords()].join('; '));
}

/** As the person wrote it: no slash command is run and no mentioned file is read. */
function toUserMessage(prompt: Prompt): SDKUserMessage {
  return {
    type: 'user',
    message: { role: 'user', content: prompt.text },
    parent_tool_use_id: null,
    client_composed: true,
    uuid: prompt.id as string as NonNullable<SDKUserMessage['uuid']>, // Entry ids are UUIDs.
  };
}

function toDelayMs(hold: Hold | null, now: number): number | null {
  if (hold === null) return null;
  return hold.kind === 'for' ? hold.ms : Math.max(0, hold.instant - now);
}
