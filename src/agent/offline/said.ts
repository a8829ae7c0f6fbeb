import { z } from 'zod';
import { readSummary } from './summary.ts';

const Block = z.looseObject({ type: z.string() });
const Content = z.union([z.string(), z.array(Block)]);
export const Message = z.looseObject({ role: z.string(), content: Content });

/** What a conversation holds, as far as the offline model looks at it. */
export type Entry =
  | { readonly kind: 'person'; readonly text: string }
  | { readonly kind: 'tool-result'; readonly text: string; readonly isError: boolean };

export function readMessage(message: z.infer<typeof Message>): readonly Entry[] {
  if (message.role !== 'user') return [];
  const blocks =
    typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : message.content;
  return blocks.flatMap((block): readonly Entry[] => {
    if (block.type === 'text' && typeof block.text === 'string') return readText(block.text);
    if (block.type !== 'tool_result') return [];
    return [{ kind: 'tool-result', text: flatten(block.content), isError: block.is_error === true }];
  });
}

const REQUEST = '<request>';
const REQUEST_END = '</request>';

/** What a person asks for: the last `<request>` of a text that is mostly ours, or all of it where there is none. */
export function requestOf(text: string): string {
  const request = findRequest(text);
  return request === null ? text : text.slice(request.begin + REQUEST.length, request.end).trim();
}

/** What we say around a person's request. */
export function aroundRequest(text: string): string {
  const request = findRequest(text);
  return request === null ? text : `${text.slice(0, request.begin)}${text.slice(request.end)}`;
}

function findRequest(text: string): { readonly begin: number; readonly end: number } | null {
  const end = text.lastIndexOf(REQUEST_END);
  const begin = text.lastIndexOf(REQUEST, end);
  return end < 0 || begin < 0 ? null : { begin, end };
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

function flatten(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.flatMap((block: unknown) => (isTextBlock(block) ? [block.text] : [])).join('\n');
}

function isTextBlock(block: unknown): block is { readonly text: string } {
  return typeof block === 'object' && block !== null && 'text' in block && typeof block.text === 'string';
}
