import type { TranscriptEntry } from '../agent/agent.ts';
import type { EntryId, SessionId } from '../base/terms.ts';

export type ReadTranscript =
  | {
      readonly kind: 'good';
      readonly entries: readonly TranscriptEntry[];
      /** The last entry of the last turn that was answered. */
      readonly settledEntry: EntryId;
      /** Turns that were answered. */
      readonly turnCount: number;
    }
  | { readonly kind: 'bad'; readonly reason: string };

/**
 * Checks one of Claude Code's own transcripts (`projects/…/<session id>.jsonl`), so that a session resumed from it is
 * whole: each line an entry, at least one turn that was answered. A last line that was cut off is left out.
 */
export function readClaudeTranscript(text: string, sessionId: SessionId): ReadTranscript {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const entries: TranscriptEntry[] = [];
  for (const [index, line] of lines.entries()) {
    const entry = parseEntry(line);
    if (entry !== null) entries.push(entry);
    else if (index < lines.length - 1) return bad(`its line ${index + 1} is no transcript entry`);
  }
  const owners = new Set(
    entries.flatMap((entry) => (entry.sessionId === undefined ? [] : [entry.sessionId])),
  );
  // Older versions copied the entries of the session that they resumed, with its id.
  if (owners.size > 0 && !owners.has(sessionId)) return bad('it is the transcript of another session');

  const answers = findAnswers(entries);
  const last = answers.at(-1);
  if (last === undefined) return bad('it holds no turn that was answered');
  return { kind: 'good', entries, settledEntry: last, turnCount: answers.length };
}

function bad(reason: string): ReadTranscript {
  return { kind: 'bad', reason };
}

function parseEntry(line: string): TranscriptEntry | null {
  try {
    const entry: unknown = JSON.parse(line);
    if (!isRecord(entry) || typeof entry.type !== 'string') return null;
    if (entry.uuid !== undefined && typeof entry.uuid !== 'string') return null;
    return { ...entry, type: entry.type } as TranscriptEntry;
  } catch {
    return null;
  }
}

/** The last entry of each turn that was answered: whatever came after it, up to the next prompt, never settled. */
function findAnswers(entries: readonly TranscriptEntry[]): readonly EntryId[] {
  const answers: EntryId[] = [];
  let answer: EntryId | null = null;
  let asked = false;
  for (const entry of entries) {
    if (!isSaid(entry)) continue;
    if (isPrompt(entry)) {
      if (answer !== null) answers.push(answer);
      answer = null;
      asked = true;
    } else if (asked) {
      answer = isAnswer(entry) ? (entry.uuid as EntryId) : null;
    }
  }
  return answer === null ? answers : [...answers, answer];
}

/** By a person, the model or a tool, in the conversation itself: no remark of the process, nothing of a sub-agent. */
function isSaid(entry: TranscriptEntry): boolean {
  if (entry.type !== 'user' && entry.type !== 'assistant') return false;
  return entry.isSidechain !== true && entry.isMeta !== true && entry.isCompactSummary !== true;
}

/** What a person said: no tool's result, no mark of an interrupt. */
function isPrompt(entry: TranscriptEntry): boolean {
  if (entry.type !== 'user') return false;
  const blocks = blocksOf(entry);
  return (
    !blocks.some((block) => block.type === 'tool_result') &&
    !blocks.some((block) => String(block.text).startsWith('[Request interrupted by user'))
  );
}

/** Text that the turn may end with. Older versions wrote entries before they knew why the model had stopped. */
function isAnswer(entry: TranscriptEntry): boolean {
  if (entry.type !== 'assistant' || entry.isApiErrorMessage === true || entry.uuid === undefined)
    return false;
  const message = isRecord(entry.message) ? entry.message : {};
  const stopped = message.stop_reason ?? 'end_turn';
  const blocks = blocksOf(entry);
  return (
    (stopped === 'end_turn' || stopped === 'stop_sequence') &&
    blocks.some((block) => block.type === 'text' && String(block.text).trim() !== '') &&
    !blocks.some((block) => block.type === 'tool_use')
  );
}

function blocksOf(entry: TranscriptEntry): readonly Record<string, unknown>[] {
  const content = isRecord(entry.message) ? entry.message.content : undefined;
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return Array.isArray(content) ? content.filter(isRecord) : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
