import type { InboxId, Instant } from '../base/terms.ts';
import type { InboxMessage } from '../inbox/inbox.ts';
import type { Remembered } from '../session/session.ts';

/** Most of one message that the model is given, in UTF-8; what is left out is said. */
const MOST_BYTES = 64 * 1024;

/** Characters of one saying in a recap. */
const MOST_RECAPPED = 500;

/** A moment such as `Saturday, 21 November 2026 at 03:40 (Europe/Berlin)`. */
export type InWords = (instant: Instant) => string;

export type PromptContext = {
  readonly inWords: InWords;
  /** Tools that a cut-off attempt at the same messages had called. */
  readonly cutOffToolCalls: readonly string[];
  /** What was said before, for a session whose own memory is gone. */
  readonly recap: readonly Remembered[];
  /** Messages that are too long, whole, as files of the working directory. */
  readonly files: ReadonlyMap<InboxId, string>;
};

/**
 * What the model is given: every message attributed and delimited, date and author in its header. The text can hold
 * neither a closing tag nor a forged header, so nobody speaks in another's name.
 */
export function toPrompt(messages: readonly InboxMessage[], context: PromptContext): string {
  const parts = messages.map((message) => toBlock(message, context));
  if (context.cutOffToolCalls.length > 0) parts.unshift(toNote(context.cutOffToolCalls));
  if (context.recap.length > 0) parts.unshift(toRecap(context.recap));
  // A text cut between the halves of an emoji, or sent with half of one, is no JSON that an endpoint must take.
  return parts.join('\n\n').toWellFormed();
}

function toBlock(message: InboxMessage, { inWords, files }: PromptContext): string {
  const header = [
    ['from', message.userName],
    ['user_id', message.userId],
    ['room', message.roomName ?? 'direct conversation'],
    ['room_id', message.roomId],
    ['sent', inWords(message.sentAt ?? message.acceptedAt)],
  ];
  const attributes = header.map(([name, value]) => `${name}="${escapeAttribute(value ?? '')}"`).join(' ');
  const text = escapeText(shorten(message.text, files.get(message.id) ?? null));
  return `<message ${attributes}>\n${text}\n</message>`;
}

function toNote(toolCalls: readonly string[]): string {
  return `<note>An earlier attempt at the following message was cut off after it had called these tools: ${toolCalls.map(escapeAttribute).join(', ')}. Check what they did before you do it again.</note>`;
}

/** The newest of it fits; each saying is cut. */
function toRecap(recap: readonly Remembered[]): string {
  const lines = recap.map(({ author, text }) => {
    // In quotes, which no name can leave: somebody called `you` puts no words into the bot's mouth.
    const who = author === null ? 'you' : `"${escapeAttribute(author)}"`;
    return `${who}: ${escapeText(text.slice(0, MOST_RECAPPED).replace(/\s+/g, ' '))}`;
  });
  return `<recap>\nYour memory of this conversation was lost. The last that was said in it, oldest first:\n${lines.join('\n')}\n</recap>`;
}

/** Made once, since that takes as long as all else of a prompt. `timeZone`: an IANA name. */
export function makeInWords(timeZone: string): InWords {
  const format = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'short', timeZone });
  return (instant) => `${format.format(instant)} (${timeZone})`;
}

/** Whether only a part of the text is given to the model. */
export function isTooLong(text: string): boolean {
  return text.length > MOST_BYTES || Buffer.byteLength(text) > MOST_BYTES;
}

function shorten(text: string, file: string | null): string {
  if (!isTooLong(text)) return text;
  // A decoder that waits for more leaves out a character that was cut.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const shown = decoder.decode(Buffer.from(text).subarray(0, MOST_BYTES), { stream: true });
  const where = file === null ? '' : `; the whole message is the file ${file} of your working directory`;
  return `${shown}\n[${text.length - shown.length} more characters were left out${where}]`;
}

function escapeAttribute(value: string): string {
  return value.replace(/\s+/g, ' ').replace(/["<>&]/g, (character) => ATTRIBUTE[character] ?? character);
}

const ATTRIBUTE: Readonly<Record<string, string>> = { '"': '&quot;', '<': '&lt;', '>': '&gt;', '&': '&amp;' };

/** Only our own tags are defused: code and markup that people paste reach the model as they are. */
function escapeText(text: string): string {
  return text.replace(/<(?=\s*\/?\s*(message|note|recap)\b)/gi, '&lt;');
}
