import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TranscriptEntry } from '../agent/agent.ts';
import { readTail } from './read-tail.ts';

/** Entries that a real process wrote; `test/fixtures/transcripts/README.md` says how. */
function recorded(name: string): readonly TranscriptEntry[] {
  const path = new URL(`../../test/fixtures/transcripts/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8'));
}

const finished = recorded('finished-turn');
const twoAttempts = recorded('two-attempts');
const isSaid = (entry: TranscriptEntry) => entry.type === 'user' || entry.type === 'assistant';
const uuidOf = (entry: TranscriptEntry | undefined) => entry?.uuid;

function afterSettled(entries: readonly TranscriptEntry[]): readonly TranscriptEntry[] {
  return entries.slice(entries.findIndex((entry) => entry.type === 'assistant') + 1);
}

describe('the tail of a recorded transcript', () => {
  it('holds a finished answer, with the prompt that it answers and what it cost', () => {
    expect(readTail(finished)).toEqual({
      kind: 'answered',
      promptId: uuidOf(finished.find((entry) => entry.type === 'user')),
      text: 'The tool Read answered: 1\tmilk\n2\tbread\n3\t',
      lastEntry: uuidOf(finished.findLast((entry) => entry.type === 'assistant')),
      tokens: expect.objectContaining({ cacheRead: 0, cacheWrite: 0 }),
    });
  });

  it('counts the tokens of a message once, though each of its blocks is an entry', () => {
    const usages = new Map(
      finished
        .filter((entry) => entry.type === 'assistant')
        .map(
          (entry) => entry.message as { id: string; usage: { input_tokens: number; output_tokens: number } },
        )
        .map(({ id, usage }) => [id, usage]),
    );
    const [first, second] = [...usages.values()];
    expect(usages.size).toBe(2);
    expect(readTail(finished)).toMatchObject({
      tokens: {
        input: (first?.input_tokens ?? 0) + (second?.input_tokens ?? 0),
        output: (first?.output_tokens ?? 0) + (second?.output_tokens ?? 0),
      },
    });
  });

  it.each([
    ['a killed process', 'tool-killed', ['mcp__kitchen__bake']],
    ['an interrupted tool', 'tool-interrupted', ['mcp__kitchen__bake']],
    ['half an answer', 'text-interrupted', []],
    ['an API error, whose text is no answer', 'api-error', []],
  ])('is unfinished after %s and names the tools that were called', (_name, file, toolCalls) => {
    expect(readTail(recorded(file))).toMatchObject({ kind: 'unfinished', toolCalls });
  });

  it('names the tools of every dropped attempt, not of the last alone', () => {
    expect(readTail(afterSettled(twoAttempts))).toMatchObject({
      kind: 'unfinished',
      toolCalls: ['mcp__kitchen__bake'],
    });
  });

  it('is empty when nothing came after the settled entry but the bookkeeping of a process that ended', () => {
    const last = finished.findLastIndex((entry) => entry.type === 'assistant');
    expect(finished.length).toBeGreaterThan(last + 1);
    expect(readTail(finished.slice(last + 1))).toEqual({ kind: 'empty' });
    expect(readTail([])).toEqual({ kind: 'empty' });
  });

  it('takes the summary of a compaction for no prompt', () => {
    const summary = recorded('compacted').find((entry) => entry.isCompactSummary === true);
    const answer = finished.findLastIndex((entry) => entry.type === 'assistant');
    const compactedInTheTurn = summary && finished.toSpliced(answer, 0, summary);
    expect(readTail(compactedInTheTurn ?? [])).toMatchObject({
      kind: 'answered',
      promptId: uuidOf(finished.find((entry) => entry.type === 'user')),
    });
  });

  it('is unfinished wherever the process was killed before its answer was written', () => {
    const answer = finished.findLastIndex((entry) => entry.type === 'assistant');
    const prompt = finished.findIndex((entry) => entry.type === 'user');
    for (let length = prompt + 1; length <= answer; length++) {
      expect(readTail(finished.slice(0, length)).kind).toBe('unfinished');
    }
    for (let length = 0; length <= prompt; length++) {
      expect(readTail(finished.slice(0, length))).toEqual({ kind: 'empty' });
    }
  });
});

describe('a tail', () => {
  const prompt = (uuid: string): TranscriptEntry => ({
    type: 'user',
    uuid,
    message: { role: 'user', content: '<message>hello</message>' },
  });
  const said = (given: Record<string, unknown>, more: Record<string, unknown> = {}): TranscriptEntry => ({
    type: 'assistant',
    uuid: 'answer',
    message: { id: 'm1', role: 'assistant', stop_reason: 'end_turn', content: [], ...given },
    ...more,
  });
  const text = (value: string) => ({ type: 'text', text: value });
  const toolUse = (name: string) => ({ type: 'tool_use', id: 't', name, input: {} });

  it('gives the whole text of the last message, block by block', () => {
    const tail = [
      prompt('p1'),
      said({ id: 'm1', stop_reason: 'tool_use', content: [text('Let me see.')] }),
      said({ id: 'm2', content: [{ type: 'thinking', thinking: 'hm' }] }),
      said({ id: 'm2', content: [text('One. ')] }),
      said({ id: 'm2', content: [text('Two.')] }, { uuid: 'last' }),
    ];
    expect(readTail(tail)).toMatchObject({ kind: 'answered', text: 'One. Two.', lastEntry: 'last' });
  });

  it.each([
    ['stopped for a tool', said({ stop_reason: 'tool_use', content: [text('Let me see.')] })],
    ['ran out of tokens', said({ stop_reason: 'max_tokens', content: [text('And then')] })],
    ['was cut off', said({ stop_reason: null, content: [text('And th')] })],
    ['is empty', said({ content: [] })],
    [
      'is an API error that claims to end the turn',
      said({ content: [text('API Error: 529')] }, { isApiErrorMessage: true }),
    ],
  ])('holds no finished answer when its last message %s', (_name, last) => {
    expect(readTail([prompt('p1'), last])).toEqual({ kind: 'unfinished', promptIds: ['p1'], toolCalls: [] });
  });

  it('holds no finished answer to a prompt that came after it', () => {
    const tail = [prompt('p1'), said({ content: [text('Done.')] }), prompt('p2')];
    expect(readTail(tail)).toEqual({ kind: 'unfinished', promptIds: ['p1', 'p2'], toolCalls: [] });
  });

  it('holds an answer to its last prompt', () => {
    const tail = [prompt('p1'), prompt('p2'), said({ content: [text('Done.')] })];
    expect(readTail(tail)).toMatchObject({ kind: 'answered', promptId: 'p2' });
  });

  it("takes neither tool results nor the process's own asides for prompts", () => {
    const aside: TranscriptEntry = { ...prompt('aside'), isMeta: true };
    const result: TranscriptEntry = {
      type: 'user',
      uuid: 'result',
      message: { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: 'ok' }] },
    };
    const call = said({ stop_reason: 'tool_use', content: [toolUse('Read')] });
    const tail = [prompt('p1'), aside, call, result, said({ id: 'm2', content: [text('Done.')] })];
    expect(readTail(tail)).toMatchObject({ kind: 'answered', promptId: 'p1', text: 'Done.' });
    expect(readTail([aside, call, result])).toEqual({ kind: 'empty' });
  });

  it('names at most twenty tool calls', () => {
    const calls = Array.from({ length: 30 }, (_, index) =>
      said({ stop_reason: 'tool_use', content: [toolUse(`T${index}`)] }),
    );
    const tail = readTail([prompt('p1'), ...calls]);
    expect(tail.kind === 'unfinished' && tail.toolCalls).toHaveLength(20);
  });

  it('is read from any order of real entries without a fault, and an API error is never its answer', () => {
    const pool = ['finished-turn', 'api-error', 'tool-interrupted', 'text-interrupted', 'compacted'].flatMap(
      recorded,
    );
    fc.assert(
      fc.property(
        fc.subarray(pool.filter(isSaid)),
        fc.array(fc.constantFrom(...pool), { maxLength: 10 }),
        (some, others) => {
          const tail = readTail([...some, ...others]);
          if (tail.kind === 'answered') expect(tail.text).not.toContain('API Error');
        },
      ),
    );
  });

  it('is read from entries of any shape without a fault', () => {
    const json = fc.jsonValue();
    const block = fc.record({
      type: fc.oneof(json, fc.constantFrom('text', 'tool_use', 'tool_result')),
      text: json,
      name: json,
    });
    const shapes = fc.record({
      type: fc.constantFrom('user', 'assistant', 'system'),
      message: fc.oneof(
        json,
        fc.record({
          content: fc.oneof(json, fc.array(fc.oneof(json, block))),
          usage: json,
          stop_reason: json,
        }),
      ),
    });
    fc.assert(
      fc.property(fc.array(shapes), (entries) => {
        readTail(entries);
      }),
    );
  });
});
