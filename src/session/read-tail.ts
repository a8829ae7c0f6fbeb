import type { TranscriptEntry } from '../agent/agent.ts';
import type { EntryId } from '../base/terms.ts';

/** What an attempt that never settled left in the transcript after the settled entry. */
export type Tail =
  | { readonly kind: 'empty' }
  /** It holds a finished answer: settle that instead of asking the model again. */
  | {
      readonly kind: 'answered';
      readonly promptId: EntryId;
      readonly text: string;
      readonly lastEntry: EntryId;
      readonly tokens: {
        readonly input: number;
        readonly output: number;
        readonly cacheRead: number;
        readonly cacheWrite: number;
      };
    }
  /** It was cut off; the tools that it had called by then may have had effects. */
  | {
      readonly kind: 'unfinished';
      /** What those attempts were asked; a note about them belongs to these messages only. */
      readonly promptIds: readonly EntryId[];
      readonly toolCalls: readonly string[];
    };

/** Tool calls that a note to the model names at most. */
const MOST_TOOL_CALLS = 20;

/**
 * Reads main-transcript entries as the process wrote them (user and assistant messages of the Messages API). An
 * answer counts as finished only when its last assistant entry ends the turn by itself and is no API error text.
 */
export function readTail(entries: readonly TranscriptEntry[]): Tail {
  const chain = entries.filter((entry) => entry.type === 'user' || entry.type === 'assistant').map(readEntry);
  const prompts = chain.filter((entry) => entry.isPrompt);
  const prompt = prompts.at(-1);
  if (prompt === undefined) return { kind: 'empty' };

  const answers = chain.slice(chain.indexOf(prompt) + 1).filter((entry) => entry.role === 'assistant');
  const last = answers.at(-1);
  const lastEntry = entries.findLast((entry) => typeof entry.uuid === 'string')?.uuid;
  if (last !== undefined && isFinished(last) && lastEntry !== undefined) {
    return {
      kind: 'answered',
      promptId: prompt.uuid,
      text: textOf(last, answers),
      lastEntry: lastEntry as EntryId,
      tokens: sumTokens(answers),
    };
  }
  // A dropped attempt stays in the store: the tools of all of them may have had effects, not of the last alone.
  return {
    kind: 'unfinished',
    promptIds: prompts.map(({ uuid }) => uuid),
    toolCalls: chain.flatMap((entry) => entry.toolCalls).slice(0, MOST_TOOL_CALLS),
  };
}

type ReadEntry = ReturnType<typeof readEntry>;

function isFinished(last: ReadEntry): boolean {
  return last.stopReason === 'end_turn' && !last.isApiError && last.text !== '';
}

/** One message of the API is written as one entry for each of its blocks: the last one's reply is all of them. */
function textOf(last: ReadEntry, answers: readonly ReadEntry[]): string {
  return answers
    .filter((entry) => entry.messageId === last.messageId)
    .map((entry) => entry.text)
    .join('');
}

function readEntry(entry: TranscriptEntry) {
  const message = isRecord(entry.message) ? entry.message : {};
  const blocks = Array.isArray(message.content) ? message.content.filter(isRecord) : [];
  const usage = isRecord(message.usage) ? message.usage : {};
  return {
    role: entry.type,
    uuid: (entry.uuid ?? '') as EntryId,
    isPrompt: entry.type === 'user' && !isAside(entry) && !blocks.some(isNoPrompt),
    isApiError: entry.isApiErrorMessage === true,
    messageId: message.id,
    stopReason: message.stop_reason,
    text: blocks.flatMap((block) => (block.type === 'text' ? [String(block.text)] : [])).join(''),
    toolCalls: blocks.flatMap((block) => (block.type === 'tool_use' ? [String(block.name)] : [])),
    tokens: {
      input: count(usage.input_tokens),
      output: count(usage.output_tokens),
      cacheRead: count(usage.cache_read_input_tokens),
      cacheWrite: count(usage.cache_creation_input_tokens),
    },
  };
}

/** A remark of the process, or the summary that a compaction puts in the place of what was said before. */
function isAside(entry: TranscriptEntry): boolean {
  return entry.isMeta === true || entry.isCompactSummary === true;
}

/** A tool's result, or the mark that an interrupt leaves; what people write stands between our own tags. */
function isNoPrompt(block: Record<string, unknown>): boolean {
  return block.type === 'tool_result' || String(block.text).startsWith('[Request interrupted by user');
}

/** Each entry of a message carries the usage of the whole: count it once. */
function sumTokens(answers: readonly ReadEntry[]): ReadEntry['tokens'] {
  const perMessage = new Map(answers.map((entry) => [entry.messageId, entry.tokens]));
  const total = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
  for (const tokens of perMessage.values()) {
    total.input += tokens.input;
    total.output += tokens.output;
    total.cacheRead += tokens.cacheRead;
    total.cacheWrite += tokens.cacheWrite;
  }
  return total;
}

function count(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
