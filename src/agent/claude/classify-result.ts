import type { SDKResultMessage } from '@anthropic-ai/claude-agent-sdk';
import type { AgentEnd } from '../agent.ts';
import { toDetail } from './detail.ts';

/** What is known when a turn's `result` message has come. */
export type ResultFacts = {
  readonly result: Pick<SDKResultMessage, 'subtype' | 'is_error' | 'terminal_reason'> & {
    readonly api_error_status?: number | null | undefined;
    readonly errors?: readonly string[] | undefined;
    readonly result?: string | undefined;
  };
  /** The text of the turn's last assistant message, or what there is of it. */
  readonly text: string;
  /** How long the endpoint asked to be left alone, where it said so. */
  readonly retryAfterMs: number | null;
};

/** What the process says when it has nothing to resume, or not at the entry that it was told to go back to. */
const NO_TRANSCRIPT = /No conversation found with session ID|No message found with message\.uuid/;

/**
 * How a turn ended. An API failure comes as a `success` with `is_error` and an assistant message that reads like an
 * answer, an interrupt as an error: only these fields together tell them apart.
 */
export function classifyResult(facts: ResultFacts): AgentEnd {
  const { result, text } = facts;
  switch (result.subtype) {
    case 'error_max_turns':
      return { kind: 'limit', limit: 'steps', text };
    case 'error_max_budget_usd':
      return { kind: 'limit', limit: 'budget', text };
    case 'success':
      if (!result.is_error) return { kind: 'answered', text };
      return {
        kind: 'api-error',
        status: result.api_error_status ?? null,
        retryAfterMs: facts.retryAfterMs,
        detail: toDetail(`${result.terminal_reason ?? 'no reason'}: ${result.result ?? ''}`),
      };
    default:
      return classifyError(facts);
  }
}

/** Whether an error text means that there is no transcript to resume. */
export function saysNoTranscript(text: string): boolean {
  return NO_TRANSCRIPT.test(text);
}

function classifyError({ result, text }: ResultFacts): AgentEnd {
  if (result.terminal_reason === 'aborted_streaming' || result.terminal_reason === 'aborted_tools')
    return { kind: 'interrupted', text };
  const detail = toDetail((result.errors ?? []).join('; '));
  if (saysNoTranscript(detail)) return { kind: 'no-transcript', detail };
  return { kind: 'died', detail: `${result.subtype}: ${detail}`, text };
}
