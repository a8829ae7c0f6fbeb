import { describe, expect, it } from 'vitest';
import { type CompactionFacts, decideCompaction } from './decide-compaction.ts';

const HOUR_MS = 3_600_000;
const above: CompactionFacts = {
  now: 9 * HOUR_MS,
  contextTokens: 150,
  aboveTokens: 100,
  leftTokens: null,
  failedAt: null,
};
const cases: readonly [string, Partial<CompactionFacts>, boolean][] = [
  ['below its limit', { contextTokens: 100 }, false],
  ['above its limit', { contextTokens: 101 }, true],
  ['of unknown size', { contextTokens: null }, false],
  ['never by itself', { contextTokens: 9e9, aboveTokens: null }, false],
  ['just compacted to more than its limit', { contextTokens: 125, leftTokens: 110 }, false],
  ['grown again since', { leftTokens: 110 }, true],
  ['failed to be compacted less than an hour ago', { failedAt: 8 * HOUR_MS + 1 }, false],
  ['failed to be compacted an hour ago', { failedAt: 8 * HOUR_MS }, true],
];

describe('decideCompaction', () => {
  it.each(cases)('%s', (_name, facts, wanted) => {
    expect(decideCompaction({ ...above, ...facts })).toBe(wanted);
  });
});
