import { describe, expect, it } from 'vitest';
import { type CompactionFacts, decideCompaction } from './decide-compaction.ts';

const cases: readonly [string, CompactionFacts, boolean][] = [
  ['below its limit', { contextTokens: 100, aboveTokens: 100, leftTokens: null }, false],
  ['above its limit', { contextTokens: 101, aboveTokens: 100, leftTokens: null }, true],
  ['of unknown size', { contextTokens: null, aboveTokens: 100, leftTokens: null }, false],
  ['never by itself', { contextTokens: 9e9, aboveTokens: null, leftTokens: null }, false],
  ['just compacted to more than its limit', { contextTokens: 125, aboveTokens: 100, leftTokens: 110 }, false],
  ['grown again since', { contextTokens: 150, aboveTokens: 100, leftTokens: 110 }, true],
];

describe('decideCompaction', () => {
  it.each(cases)('%s', (_name, facts, wanted) => {
    expect(decideCompaction(facts)).toBe(wanted);
  });
});
