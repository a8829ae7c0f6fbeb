import { z } from 'zod';
import { describeUpdate } from './project-answers.ts';
import { type Entry, Message, readMessage, requestOf } from './said.ts';
import { isSummaryRequest, writeSummary } from './summary.ts';
import { nextWish, readToolWishes, type ToolWish } from './tool-wishes.ts';

/**
 * What the offline model says to a request of the Messages API: a pure function of the request, so that what it
 * "remembers" is exactly what the conversation sent it.
 */
export type OfflineAnswer =
  | { readonly kind: 'text'; readonly text: string; readonly delayMs: number }
  | { readonly kind: 'tool'; readonly narration: string; readonly name: string; readonly input: unknown };

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
  const requests = said.map(requestOf);
  if (isSummaryRequest(said.at(-1) ?? '')) return say(writeSummary(requests.slice(0, -1)));
  const description = describeUpdate(said);
  if (description !== null) return say(description);

  const latest = requests.at(-1) ?? '';
  const results = entries
    .slice(lastPerson + 1)
    .flatMap((entry) => (entry.kind === 'tool-result' ? [entry] : []));
  const wishes = readToolWishes(latest);
  if (wishes === 'unreadable')
    return say('I was asked to use a tool, but what stands after “with” is no JSON.');
  const wish = nextWish(wishes, results.length);
  if (wish !== null) {
    const narration = `I will use the tool ${wish.name}.`;
    return { kind: 'tool', narration, name: wish.name, input: wish.input };
  }
  const report = toReport(wishes, results);
  return { ...say(report ?? readGivenText(latest) ?? remember(requests)), delayMs: readDelayMs(latest) };
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

type ToolResult = Extract<Entry, { kind: 'tool-result' }>;

/** What came back, for each wish the last of its calls; null when there was none. */
function toReport(wishes: readonly ToolWish[], results: readonly ToolResult[]): string | null {
  let calls = 0;
  const lines = wishes.flatMap((wish) => {
    calls += wish.times;
    const result = results[calls - 1];
    return result === undefined ? [] : [toLine(wish.name, result)];
  });
  return lines.length === 0 ? null : lines.join('\n');
}

function toLine(name: string, result: ToolResult): string {
  const text = cut(result.text, TOOL_ANSWER_CHARACTERS);
  return result.isError
    ? `The tool ${name} was refused or failed: ${text}`
    : `The tool ${name} answered: ${text}`;
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

function quote(text: string): string {
  return `“${cut(text, QUOTE_CHARACTERS)}”`;
}

function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters)}…`;
}
