import type { SDKMessage, SDKResultMessage, SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';
import { type Clock, within } from '../../base/clock.ts';
import { newEntryId } from '../../base/ids.ts';
import type { Fence, SessionId } from '../../base/terms.ts';
import type { Compaction, Usage } from '../agent.ts';
import type { ClaudeProcess } from './claude-process.ts';
import { type Before, nextMessage } from './claude-turn.ts';
import { makeTurnReader } from './turn-reader.ts';
import { addUsage, cumulativeOf, NO_USAGE, usageBetween } from './usage.ts';

/** A compaction, and what the process has come to with it. */
export type Compacted = { readonly compaction: Compaction; readonly cumulative: Usage };

/**
 * Has the process shorten what its session remembers, under the fence of who holds the conversation. Never throws.
 * After a failure nobody knows what the process remembers: it must not serve another turn.
 */
export async function compact(
  claude: ClaudeProcess,
  fence: Fence,
  before: Before,
  { clock, compactionLimitMs }: { readonly clock: Clock; readonly compactionLimitMs: number },
): Promise<Compacted> {
  const prompt = toCommand();
  claude.mirror.beginTurn({ conversation: claude.conversation, fence });
  claude.prompts.push(prompt);
  const heard = await within(clock, compactionLimitMs, readToResult(claude, prompt.uuid));
  const lastEntry = await claude.mirror.endTurn();
  if (heard === 'timed-out' || heard.result === null)
    return toFailure(before, heard === 'timed-out' ? NO_USAGE : heard.tokens);

  const cumulative = cumulativeOf(heard.result);
  const usage = usageBetween(before.total, cumulative);
  const sessionId = heard.result.session_id as SessionId;
  const isStored = !heard.atRisk && !claude.mirror.fencedOut() && lastEntry !== null;
  if (!isStored || heard.boundary === null || heard.result.is_error)
    return toFailure({ ...before, sessionId }, usage);
  const { pre_tokens, post_tokens } = heard.boundary.compact_metadata;
  const tokens = post_tokens === undefined ? null : { before: pre_tokens, after: post_tokens };
  return {
    compaction: { kind: 'compacted', usage, sessionId, lastEntry, tokens },
    cumulative: addUsage(before.total, usage),
  };
}

type Boundary = Extract<SDKMessage, { subtype: 'compact_boundary' }>;

type Heard = {
  /** Null when the process ended first. */
  readonly result: SDKResultMessage | null;
  /** Where the new memory begins; null when nothing was compacted. */
  readonly boundary: Boundary | null;
  readonly atRisk: boolean;
  readonly tokens: Usage;
};

async function readToResult(claude: ClaudeProcess, promptId: string): Promise<Heard> {
  const reader = makeTurnReader(promptId);
  let boundary: Boundary | null = null;
  for (;;) {
    const message = await nextMessage(claude);
    if (message.type === 'gone')
      return { result: null, boundary, atRisk: reader.atRisk(), tokens: reader.tokens() };
    if (message.type === 'system' && message.subtype === 'compact_boundary') boundary = message;
    const { result } = reader.read(message);
    if (result !== null) return { result, boundary, atRisk: reader.atRisk(), tokens: reader.tokens() };
  }
}

function toFailure(before: Before, usage: Usage): Compacted {
  const { sessionId, total } = before;
  return {
    compaction: { kind: 'failed', usage, sessionId, lastEntry: null, tokens: null },
    cumulative: addUsage(total, usage),
  };
}

/** Not as a person's message, which would be plain text to the process: as a command. */
function toCommand(): SDKUserMessage & { readonly uuid: NonNullable<SDKUserMessage['uuid']> } {
  return {
    type: 'user',
    message: { role: 'user', content: '/compact' },
    parent_tool_use_id: null,
    uuid: newEntryId() as string as NonNullable<SDKUserMessage['uuid']>, // Entry ids are UUIDs.
  };
}
