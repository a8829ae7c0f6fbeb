import { z } from 'zod';
import { isSummaryRequest, readSummary, writeSummary } from './summary.ts';

/**
 * What the offline model says to a request of the Messages API: a pure function of the request, so that what it
 * "remembers" is exactly what the conversation sent it.
 */
export type OfflineAnswer =
  | { readonly kind: 'text'; readonly text: string; readonly delayMs: number }
  | { readonly kind: 'tool'; readonly narration: string; readonly name: string; readonly input: unknown };

const Block = z.looseObject({ type: z.string() });
const Content = z.union([z.string(), z.array(Block)]);
const Message = z.looseObject({ role: z.string(), content: Content });
/** As much of a Messages API request as the offline model looks at. */
export const MessagesRequest = z.looseObject({
  model: z.string(),
  messages: z.array(Message),
  stream: z.boolean().optional(),
});
export type MessagesRequest = z.infer<typeof MessagesRequest>;

/** Earlier messages that an answer quotes at most, and characters of each. */
const MOST_QUOTES = 10;
const QUOTE_CHARACTERS = 200;
const TOOL_ANSWER_CHARACTERS = 1_000;
const MOST_DELAY_SECONDS = 120;

export function answerTo(request: MessagesRequest): OfflineAnswer {
  const entries = request.messages.flatMap(readMessage);
  const lastPerson = entries.findLastIndex((entry) => entry.kind === 'person');
  const said = entries.flatMap((entry) => (entry.kind === 'person' ? [entry.text] : []));
  const latest = said.at(-1) ?? '';
  if (isSummaryRequest(latest)) return say(writeSummary(said.slice(0, -1)));
  const results = entries
    .slice(lastPerson + 1)
    .flatMap((entry) => (entry.kind === 'tool-result' ? [entry] : []));

  const wish = readToolWish(latest);
  if (wish === 'unreadable')
    return say('I was asked to use a tool, but what stands after “with” is no JSON.');
  if (wish !== null && results.length < wish.times) {
    const narration = `I will use the tool ${wish.name}.`;
    return { kind: 'tool', narration, name: wish.name, input: wish.input };
  }
  const result = results.at(-1);
  if (wish !== null && result !== undefined) return say(toolReport(wish.name, result));
  return { ...say(readGivenText(latest) ?? remember(said)), delayMs: readDelayMs(latest) };
}

/** Roughly what a real model would count: four characters a token. */
export function estimateTokens(value: unknown): number {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return Math.max(1, Math.ceil(text.length / 4));
}

function say(text: string): Extract<OfflineAnswer, { kind: 'text' }> {
  return { kind: 'text', text, delayMs: 0 };
}

function remember(said: readonly string[]): string {
  const latest = quote(said.at(-1) ?? '');
  const earlier = said.slice(0, -1);
  const lines = [
    `I am the offline model: no real model answers here. You said: ${latest}`,
    `That is message ${said.length} of this conversation.`,
  ];
  if (earlier.length > 0) {
    const first = Math.max(0, earlier.length - MOST_QUOTES);
    const quotes = earlier.slice(first).map((text, index) => `${first + index + 1}. ${quote(text)}`);
    lines.push(`Earlier in this conversation: ${quotes.join(' ')}`);
  }
  return lines.join('\n\n');
}

function toolReport(name: string, result: { readonly text: string; readonly isError: boolean }): string {
  const text = cut(result.text, TOOL_ANSWER_CHARACTERS);
  return result.isError
    ? `The tool ${name} was refused or failed: ${text}`
    : `The tool ${name} answered: ${text}`;
}

type Entry =
  | { readonly kind: 'person'; readonly text: string }
  | { readonly kind: 'tool-result'; readonly text: string; readonly isError: boolean };

function readMessage(message: z.infer<typeof Message>): readonly Entry[] {
  if (message.role !== 'user') return [];
  const blocks =
    typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : message.content;
  return blocks.flatMap((block): readonly Entry[] => {
    if (block.type === 'text' && typeof block.text === 'string') return readText(block.text);
    if (block.type !== 'tool_result') return [];
    return [{ kind: 'tool-result', text: flatten(block.content), isError: block.is_error === true }];
  });
}

/**
 * What people said in one text block: the text between our `<message …>` tags, or all of it where there are none. The
 * agent process adds reminders and marks of its own, which nobody said.
 */
function readText(block: string): readonly Entry[] {
  const text = block.replace(/<system-reminder>[\s\S]*?<\/system-reminder>/g, '').trim();
  if (text === '' || NOBODY_SAID.test(text)) return [];
  const summarized = readSummary(text);
  if (summarized !== null) return summarized.map((part) => ({ kind: 'person', text: part }));
  const delimited = [...text.matchAll(/<message\b[^>]*>([\s\S]*?)<\/message>/g)].map(
    (match) => match[1] ?? '',
  );
  const said = delimited.length > 0 ? delimited : [text];
  return said.map((part) => ({ kind: 'person', text: part.trim() }));
}

/** Traces of an interrupt and of a command that we gave to the process. */
const NOBODY_SAID = /^(\[Request interrupted by user|<(local-command-(caveat|stdout)|command-name)>)/;

type ToolWish = { readonly name: string; readonly input: unknown; readonly times: number };

/** `use tool <Name> with {json}`, or `… 3 times` for as many calls in a row. */
function readToolWish(text: string): ToolWish | 'unreadable' | null {
  const match = /\buse tool (\S+)(?: with (\{[\s\S]*\}))?(?: (\d+) times)?/i.exec(text);
  if (match === null) return null;
  try {
    return { name: match[1] ?? '', input: JSON.parse(match[2] ?? '{}'), times: Number(match[3] ?? 1) };
  } catch {
    return 'unreadable';
  }
}

/** `answer exactly: …`: what follows, to the end of the message; so that any Markdown can be seen in a room. */
function readGivenText(text: string): string | null {
  return /\banswer exactly:\s*(\S[\s\S]*)$/i.exec(text)?.[1] ?? null;
}

/** `think for 2 seconds`. */
function readDelayMs(text: string): number {
  const match = /\bthink for (\d+(?:\.\d+)?) seconds?/i.exec(text);
  return match === null ? 0 : Math.min(Number(match[1]), MOST_DELAY_SECONDS) * 1000;
}

function flatten(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.flatMap((block: unknown) => (isTextBlock(block) ? [block.text] : [])).join('\n');
}

function isTextBlock(block: unknown): block is { readonly text: string } {
  return typeof block === 'object' && block !== null && 'text' in block && typeof block.text === 'string';
}

function quote(text: string): string {
  return `“${cut(text, QUOTE_CHARACTERS)}”`;
}

function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters)}…`;
}
