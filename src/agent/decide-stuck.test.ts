import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideStuck, nextLook, type StuckFacts } from './decide-stuck.ts';

const base: StuckFacts = {
  now: 1_000,
  startedAt: 1_000,
  heardAt: 1_000,
  toolsRunning: 0,
  turnTimeoutMs: 180,
  stuckAfterMs: 90,
};

describe('decideStuck', () => {
  it.each<[string, Partial<StuckFacts>, 'turn-timeout' | 'silent' | null]>([
    ['just begun', {}, null],
    ['silent for not quite too long', { now: 1_089 }, null],
    ['silent for too long', { now: 1_090 }, 'silent'],
    ['heard of lately', { now: 1_150, heardAt: 1_100 }, null],
    ['silent while a tool runs', { now: 1_179, toolsRunning: 1 }, null],
    ['silent while several tools run', { now: 1_179, toolsRunning: 3 }, null],
    ['not quite over its limit', { now: 1_179, heardAt: 1_178 }, null],
    ['over its limit', { now: 1_180, heardAt: 1_180 }, 'turn-timeout'],
    ['over its limit while a tool runs', { now: 1_180, toolsRunning: 1 }, 'turn-timeout'],
    ['over its limit and silent: the limit wins', { now: 1_180 }, 'turn-timeout'],
    ['a limit shorter than the silence', { now: 1_050, turnTimeoutMs: 50 }, 'turn-timeout'],
  ])('%s', (_name, facts, expected) => {
    expect(decideStuck({ ...base, ...facts })).toBe(expected);
  });
});

describe('nextLook', () => {
  it.each<[string, Partial<StuckFacts>, number]>([
    ['after the silence', {}, 1_090],
    ['after the silence since the agent was last heard of', { heardAt: 1_060 }, 1_150],
    ['at the limit when that comes first', { heardAt: 1_120 }, 1_180],
    ['at the limit while a tool runs', { toolsRunning: 1 }, 1_180],
  ])('is %s', (_name, facts, expected) => {
    expect(nextLook({ ...base, ...facts })).toBe(expected);
  });

  it('is the first moment at which a turn that nothing is heard of is stuck', () => {
    const facts = fc.record({
      now: fc.constant(0),
      startedAt: fc.integer({ min: 0, max: 500 }),
      heardAt: fc.integer({ min: 0, max: 500 }),
      toolsRunning: fc.nat({ max: 2 }),
      turnTimeoutMs: fc.integer({ min: 1, max: 500 }),
      stuckAfterMs: fc.integer({ min: 1, max: 500 }),
    });
    fc.assert(
      fc.property(facts, (drawn) => {
        const look = nextLook(drawn);
        expect(decideStuck({ ...drawn, now: look })).not.toBeNull();
        expect(decideStuck({ ...drawn, now: look - 1 })).toBeNull();
      }),
    );
  });
});
