import type { SDKMessage, SDKResultMessage } from '@anthropic-ai/claude-agent-sdk';
import type { AgentEvent, Usage } from '../agent.ts';
import { toDetail } from './detail.ts';
import { addUsage, NO_USAGE, sumOfTokens } from './usage.ts';

/**
 * Reads the messages of one turn, in order:
 *
 *   waiting ──first message that names our prompt──▶ bound ──result──▶ done
 *
 * Until it is bound, text and tools belong to an earlier, interrupted prompt and are dropped; so is a result that
 * names another prompt.
 */
export type TurnReader = {
  /** The events that a message means, and the result once it has come. */
  read(message: SDKMessage): {
    readonly events: readonly AgentEvent[];
    readonly result: SDKResultMessage | null;
  };
  /** Whether the process has our prompt: an interrupt sent before that would find nothing to stop. */
  received(): boolean;
  /** The text of the last assistant message so far; a message cut off in mid-stream counts. */
  text(): string;
  /** Whether entries of the turn were lost on their way to the transcript store. */
  atRisk(): boolean;
  /** Tokens that the endpoint reported so far; their cost is not known. */
  tokens(): Usage;
  /** Tokens of the main thread's last request and its answer: how full the model's context is; null before the first. */
  contextTokens(): number | null;
  /** Epoch milliseconds until which the endpoint is out of reach, or how long it asked to wait, where it said so. */
  hold(): Hold | null;
};

export type Hold =
  | { readonly kind: 'until'; readonly instant: number }
  | { readonly kind: 'for'; readonly ms: number };

type StreamEvent = Extract<SDKMessage, { type: 'stream_event' }>['event'];
type AssistantMessage = Extract<SDKMessage, { type: 'assistant' }>;
type UserMessage = Extract<SDKMessage, { type: 'user' }>;

export function makeTurnReader(promptId: string): TurnReader {
  let received = false;
  let bound = false;
  let messageId = '';
  let text = '';
  let streamId = '';
  let streamed = '';
  let tokens = NO_USAGE;
  let hold: Hold | null = null;
  let atRisk = false;
  let context = NO_USAGE;

  function readStream(event: StreamEvent): readonly AgentEvent[] {
    tokens = addUsage(tokens, tokensOf(event));
    if (event.type === 'message_start') context = tokensOf(event);
    if (event.type === 'message_delta') context = { ...context, outputTokens: event.usage.output_tokens };
    if (event.type === 'message_start') {
      streamId = event.message.id;
      streamed = '';
    }
    if (event.type !== 'content_block_delta' || event.delta.type !== 'text_delta')
      return [{ kind: 'activity' }];
    streamed += event.delta.text;
    return [{ kind: 'text-delta', text: event.delta.text }];
  }

  /** One message of the endpoint comes as one message for each of its blocks, under one id. */
  function readAssistant({ message, error }: AssistantMessage): readonly AgentEvent[] {
    if (error !== undefined) return [];
    if (message.id !== messageId) text = '';
    // Not streamed: the endpoint failed in mid-stream and was asked again for the whole.
    if (message.id !== streamId) context = usageOf(message.usage);
    messageId = message.id;
    streamed = '';
    const events: AgentEvent[] = [];
    for (const block of message.content) {
      if (block.type === 'text') text += block.text;
      if (block.type === 'tool_use')
        events.push({ kind: 'tool-started', toolUseId: block.id, name: block.name });
    }
    return events;
  }

  function readContent(message: SDKMessage): readonly AgentEvent[] {
    if (!('parent_tool_use_id' in message) || message.parent_tool_use_id !== null) return [];
    switch (message.type) {
      case 'stream_event':
        return readStream(message.event);
      case 'assistant':
        return readAssistant(message);
      case 'user':
        return toolResults(message);
      default:
        return [];
    }
  }

  function readNotice(message: SDKMessage): readonly AgentEvent[] {
    if (message.type === 'rate_limit_event') {
      const { status, resetsAt } = message.rate_limit_info;
      if (status === 'rejected' && resetsAt !== undefined) hold = { kind: 'until', instant: resetsAt * 1000 };
      return [];
    }
    if (message.type !== 'system') return [];
    switch (message.subtype) {
      case 'api_retry':
        if (hold?.kind !== 'until') hold = { kind: 'for', ms: message.retry_delay_ms };
        return [toApiRetry(message)];
      // It asks the endpoint, or compacts by itself in the middle of the turn, which streams nothing.
      case 'status':
        return [{ kind: 'activity' }];
      case 'mirror_error':
        atRisk = true;
        return [{ kind: 'memory-at-risk', detail: toDetail(message.error) }];
      case 'session_writes_lost':
        atRisk = true;
        return [{ kind: 'memory-at-risk', detail: message.error_code }];
      default:
        return [];
    }
  }

  return {
    read(message) {
      const named = namedPrompts(message);
      bound ||= named.includes(promptId);
      received ||= bound || queuedPrompt(message) === promptId;
      if (message.type === 'result') {
        const stale = named.length > 0 && !named.includes(promptId);
        return { events: [], result: stale ? null : message };
      }
      return { events: [...readNotice(message), ...(bound ? readContent(message) : [])], result: null };
    },
    received: () => received,
    text: () => (streamed === '' || streamId === messageId ? text + streamed : streamed),
    atRisk: () => atRisk,
    tokens: () => tokens,
    contextTokens: () => sumOfTokens(context) || null,
    hold: () => hold,
  };
}

/** The prompts that a message says it answers. Only some messages say so. */
function namedPrompts(message: SDKMessage): readonly string[] {
  if (!('user_message_uuid' in message || 'user_message_uuids' in message)) return [];
  const one = message.user_message_uuid;
  const several = 'user_message_uuids' in message ? message.user_message_uuids : undefined;
  return [...(one === undefined ? [] : [one]), ...(several ?? [])];
}

/** The prompt that the process says it has taken from us; the SDK hands this message on without a type. */
function queuedPrompt(message: SDKMessage): unknown {
  return 'command_uuid' in message ? message.command_uuid : undefined;
}

function toApiRetry(message: Extract<SDKMessage, { subtype: 'api_retry' }>): AgentEvent {
  const { attempt, error_status: status, retry_delay_ms: delayMs } = message;
  return { kind: 'api-retry', attempt, status, delayMs };
}

function toolResults({ message }: UserMessage): readonly AgentEvent[] {
  if (typeof message.content === 'string') return [];
  return message.content.flatMap((block): AgentEvent[] =>
    block.type === 'tool_result'
      ? [{ kind: 'tool-finished', toolUseId: block.tool_use_id, failed: block.is_error === true }]
      : [],
  );
}

function tokensOf(event: StreamEvent): Usage {
  if (event.type === 'message_delta') return { ...NO_USAGE, outputTokens: event.usage.output_tokens };
  // What it has written by then is counted again, in full, when it is done.
  return event.type === 'message_start' ? { ...usageOf(event.message.usage), outputTokens: 0 } : NO_USAGE;
}

function usageOf(usage: AssistantMessage['message']['usage']): Usage {
  return {
    ...NO_USAGE,
    inputTokens: usage.input_tokens,
    outputTokens: usage.output_tokens,
    cacheReadTokens: usage.cache_read_input_tokens ?? 0,
    cacheWriteTokens: usage.cache_creation_input_tokens ?? 0,
  };
}
