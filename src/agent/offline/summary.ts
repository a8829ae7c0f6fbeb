/** What the agent process asks of a model when a conversation is compacted, and what it makes of the answer. */

const REQUEST = 'CRITICAL: Respond with TEXT ONLY.';
const CONTINUATION = 'This session is being continued from a previous conversation';
const HEADING = 'All user messages:';

/** Messages that a summary holds at most, the newest ones, and characters of each. */
const MOST_MESSAGES = 50;
const MOST_CHARACTERS = 200;

export function isSummaryRequest(text: string): boolean {
  return text.startsWith(REQUEST) && text.includes('summary of the conversation');
}

/** What people said, one line each, in the tags that the process looks for. */
export function writeSummary(said: readonly string[]): string {
  const lines = said
    .slice(-MOST_MESSAGES)
    .map((text) => `- ${JSON.stringify(text.slice(0, MOST_CHARACTERS))}`);
  return [
    '<analysis>\nThe offline model lists what was said.\n</analysis>',
    `<summary>\n${HEADING}\n${lines.join('\n')}\n</summary>`,
  ].join('\n\n');
}

/** What people said before a compaction, as far as the text that a compacted conversation begins with tells; else null. */
export function readSummary(text: string): readonly string[] | null {
  if (!text.startsWith(CONTINUATION)) return null;
  const listed = text.slice(text.indexOf(HEADING)).matchAll(/^- (".*")$/gm);
  return [...listed].flatMap(([, line]) => readLine(line ?? ''));
}

/** A real model's summary may hold lines that only look like ours. */
function readLine(line: string): readonly string[] {
  try {
    return [String(JSON.parse(line))];
  } catch {
    return [];
  }
}
