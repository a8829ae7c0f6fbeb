import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { TranscriptEntry } from '../agent/agent.ts';
import type { SessionId } from '../base/terms.ts';
import { readClaudeTranscript } from './claude-transcript.ts';

const FIXTURES = new URL('../../test/fixtures/transcripts/', import.meta.url);
const ID = 'a0000000-0000-4000-8000-000000000000' as SessionId;

/** A recorded transcript as the process keeps it on disk. */
function recorded(name: string): { readonly lines: string; readonly id: SessionId } {
  const entries: TranscriptEntry[] = JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8'));
  const id = entries.find(({ sessionId }) => sessionId !== undefined)?.sessionId as SessionId;
  return { lines: toLines(...entries), id };
}
function toLines(...entries: readonly object[]): string {
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
}

let count = 0;
const uuid = (): string => `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`;
const says = (content: unknown, more: object = {}) => ({
  type: 'user',
  uuid: uuid(),
  message: { content },
  ...more,
});
const answers = (text: string, more: object = {}, stop_reason: string | null = 'end_turn') => ({
  type: 'assistant',
  uuid: uuid(),
  message: { stop_reason, content: [{ type: 'text', text }] },
  ...more,
});
const uses = () => ({
  type: 'assistant',
  uuid: uuid(),
  message: { stop_reason: 'tool_use', content: [{ type: 'tool_use', name: 'Read' }] },
});
const result = () => says([{ type: 'tool_result', content: 'x' }]);

describe('a recorded transcript', () => {
  test.each([
    ['finished-turn.json', 1],
    ['two-attempts.json', 1],
    ['compacted.json', 2],
  ])('%s has %i answered turns', (name, turnCount) => {
    const { lines, id } = recorded(name);
    const read = readClaudeTranscript(lines, id);
    expect(read).toMatchObject({ kind: 'good', turnCount });
    if (read.kind !== 'good') return;
    expect(toLines(...read.entries)).toBe(lines);
    const settled = read.entries.find((entry) => entry.uuid === read.settledEntry);
    expect(settled).toMatchObject({ type: 'assistant', message: { stop_reason: 'end_turn' } });
  });

  test.each(['tool-killed.json', 'tool-interrupted.json', 'text-interrupted.json', 'api-error.json'])(
    '%s has none',
    (name) => {
      const { lines, id } = recorded(name);
      expect(readClaudeTranscript(lines, id)).toEqual({
        kind: 'bad',
        reason: 'it holds no turn that was answered',
      });
    },
  );
});

describe('the settled entry', () => {
  const first = answers('one');
  test.each<[string, readonly object[]]>([
    ['the answer', [says('hi'), first]],
    ['the answer after a tool', [says('hi'), uses(), result(), first]],
    [
      'the answer of an older version, which did not say why it stopped',
      [says('hi'), { ...first, message: { content: first.message.content } }],
    ],
    ['the last text of an answer', [says('hi'), answers('half'), first]],
    ['the answer before a turn that was cut off', [says('hi'), first, says('and?'), uses()]],
    ['the answer before a question without one', [says('hi'), first, says([{ type: 'text', text: 'and?' }])]],
    [
      'the answer before an error of the endpoint',
      [says('hi'), first, says('x'), answers('API Error', { isApiErrorMessage: true })],
    ],
    ['the answer before remarks of the process', [says('hi'), first, says('caveat', { isMeta: true })]],
    ['the answer beside what a sub-agent said', [says('hi'), first, answers('aside', { isSidechain: true })]],
    [
      'the answer although the same message was asked before in vain',
      [says('hi'), uses(), says('hi'), first],
    ],
  ])('is %s', (_title, entries) => {
    expect(readClaudeTranscript(toLines(...entries), ID)).toMatchObject({
      kind: 'good',
      settledEntry: first.uuid,
      turnCount: 1,
    });
  });
});

describe('a transcript is bad', () => {
  test.each([
    ['when it is empty', '', 'it holds no turn that was answered'],
    [
      'when a line is no JSON',
      `{"type":"user"\n${toLines(says('hi'), answers('x'))}`,
      'its line 1 is no transcript entry',
    ],
    [
      'when a line is no object',
      `7\n${toLines(says('hi'), answers('x'))}`,
      'its line 1 is no transcript entry',
    ],
    [
      'when a uuid is none',
      toLines({ type: 'user', uuid: 5 }, says('hi'), answers('x')),
      'its line 1 is no transcript entry',
    ],
    ['when nobody asked', toLines(answers('x')), 'it holds no turn that was answered'],
    [
      'when it is another session’s',
      toLines(says('hi', { sessionId: 'b' }), answers('x')),
      'it is the transcript of another session',
    ],
  ])('%s', (_title, text, reason) => {
    expect(readClaudeTranscript(text, ID)).toEqual({ kind: 'bad', reason });
  });

  test('but not when its last line was cut off, or when it holds copies of a session that it resumed', () => {
    const whole = [says('hi', { sessionId: 'older' }), answers('x', { sessionId: ID })];
    const read = readClaudeTranscript(`${toLines(...whole)}{"type":"user","uu`, ID);
    expect(read).toMatchObject({ kind: 'good', turnCount: 1 });
  });
});
