import { describe, expect, it } from 'vitest';
import { decideRunEnd, MOST_ATTEMPTS, type RunEndFacts, waitMs } from './decide-run-end.ts';

const NOW = 1_000_000;
const usual: RunEndFacts = {
  end: { kind: 'answered', text: 'Done.' },
  interruption: 'none',
  wasHeard: true,
  resumed: false,
  attempt: 1,
  now: NOW,
  canFallBack: false,
};
const died = { kind: 'died', detail: 'exit code 1', text: '' } as const;
const apiError = (status: number | null, retryAfterMs: number | null = null) =>
  ({ kind: 'api-error', status, retryAfterMs, detail: `API Error: ${status}` }) as const;

/** With the longest jitter, so that waits stand in whole numbers. */
const decide = (change: Partial<RunEndFacts>) => decideRunEnd({ ...usual, ...change }, () => 1);

describe('how the end of a run is taken', () => {
  it.each<[string, Partial<RunEndFacts>, object]>([
    ['an answer counts', {}, { kind: 'take', outcome: 'ok' }],
    ['an answer counts even when we had just cut in', { interruption: 'cancelled' }, { kind: 'take' }],
    [
      'C-1 a transcript that is not there starts a fresh session at once',
      { end: { kind: 'no-transcript', detail: '' }, resumed: true },
      { kind: 'fall-back', outcome: 'no-transcript' },
    ],
    [
      'C-2 a process that died is tried again after 5 seconds',
      { end: died },
      { kind: 'again', outcome: 'died', notBefore: NOW + 5_000, givesBackAttempt: false },
    ],
    ['and after 15 the next time', { end: died, attempt: 2 }, { kind: 'again', notBefore: NOW + 15_000 }],
    [
      'and is given up at the last attempt',
      { end: died, attempt: 3 },
      { kind: 'fail', error: 'agent_failed' },
    ],
    [
      'a process that did not come up is tried again',
      { end: { kind: 'not-started', detail: '' } },
      { kind: 'again', outcome: 'not-started' },
    ],
    ['C-7 silence', { end: died, interruption: 'silent' }, { kind: 'again', outcome: 'stuck' }],
    [
      'C-7 silence at the last attempt',
      { end: died, interruption: 'silent', attempt: 3 },
      { kind: 'fail', error: 'agent_stuck' },
    ],
    [
      'C-8 the time limit',
      { end: { kind: 'interrupted', text: '' }, interruption: 'turn-timeout' },
      { kind: 'again', outcome: 'timeout' },
    ],
    [
      'C-8 the time limit at the last attempt',
      { end: died, interruption: 'turn-timeout', attempt: 3 },
      { kind: 'fail', error: 'agent_timeout' },
    ],
    [
      'C-15 the budget',
      { end: { kind: 'limit', limit: 'budget', text: '' } },
      { kind: 'fail', outcome: 'limit', error: 'budget_exceeded' },
    ],
    [
      'the steps',
      { end: { kind: 'limit', limit: 'steps', text: '' } },
      { kind: 'fail', error: 'steps_used_up' },
    ],
    ['C-6 an overloaded server', { end: apiError(500) }, { kind: 'again', reason: 'back-off' }],
    ['a connection that dropped', { end: apiError(null) }, { kind: 'again', reason: 'back-off' }],
    [
      'C-6 an overloaded server at the last attempt',
      { end: apiError(500), attempt: 3 },
      { kind: 'fail', error: 'agent_refused_by_provider' },
    ],
    [
      'an endpoint that another one can stand in for',
      { end: apiError(500), canFallBack: true, attempt: 3 },
      { kind: 'again', notBefore: NOW, givesBackAttempt: true },
    ],
    ['a cancel', { end: died, interruption: 'cancelled' }, { kind: 'stop', outcome: 'cancelled' }],
    ['giving way', { end: died, interruption: 'preempted' }, { kind: 'stop', outcome: 'cancelled' }],
    ['a stop of the server', { end: died, interruption: 'drain' }, { kind: 'stop', outcome: 'interrupted' }],
    ['a lost lease', { end: died, interruption: 'lease-lost' }, { kind: 'stop', outcome: 'interrupted' }],
  ])('%s', (_name, change, expected) => {
    expect(decide(change)).toMatchObject(expected);
  });
});

describe('a limit of the provider', () => {
  it.each([429, 529])('G2 %s waits as long as it says, and no attempt is lost', (status) => {
    expect(decide({ end: apiError(status, 30_000), attempt: MOST_ATTEMPTS })).toMatchObject({
      kind: 'again',
      reason: 'provider-limit',
      notBefore: NOW + 33_000,
      givesBackAttempt: true,
    });
  });

  it('G1 waits a minute when it says nothing', () => {
    expect(decide({ end: apiError(429) })).toMatchObject({ notBefore: NOW + 66_000 });
  });

  it('G3 brings those that wait for it back one after the other', () => {
    const at = (chance: number) => decideRunEnd({ ...usual, end: apiError(429, 100_000) }, () => chance);
    expect(at(0)).toMatchObject({ notBefore: NOW + 100_000 });
    expect(at(0.5)).toMatchObject({ notBefore: NOW + 105_000 });
  });

  it.each([401, 403])(
    'G7 a credential that is refused (%s) waits five minutes, no attempt lost',
    (status) => {
      expect(decide({ end: apiError(status), attempt: MOST_ATTEMPTS })).toMatchObject({
        kind: 'again',
        reason: 'provider-limit',
        notBefore: NOW + 300_000,
        givesBackAttempt: true,
      });
    },
  );
});

describe('a resumed session', () => {
  it('C-4 is blamed when its process died before it said a word, or its history is refused', () => {
    expect(decide({ end: died, resumed: true, wasHeard: false }).blamesSession).toBe(true);
    expect(decide({ end: apiError(400), resumed: true }).blamesSession).toBe(true);
    const unstarted = { kind: 'not-started', detail: '' } as const;
    expect(decide({ end: unstarted, resumed: true, wasHeard: false }).blamesSession).toBe(true);
    expect(decide({ end: died, resumed: true, wasHeard: false, attempt: 3 }).blamesSession).toBe(true);
  });

  it('is not blamed for what came later, for the endpoint, or for what we did', () => {
    expect(decide({ end: died, resumed: true }).blamesSession).toBe(false);
    expect(decide({ end: apiError(500), resumed: true, wasHeard: false }).blamesSession).toBe(false);
    expect(
      decide({ end: died, resumed: true, wasHeard: false, interruption: 'cancelled' }).blamesSession,
    ).toBe(false);
    expect(decide({ end: died, resumed: false, wasHeard: false }).blamesSession).toBe(false);
  });
});

describe('the back-off', () => {
  it('grows threefold to five minutes, with jitter in its upper half', () => {
    expect([1, 2, 3, 4, 5].map((attempt) => waitMs(attempt, () => 1))).toEqual([
      5_000, 15_000, 45_000, 135_000, 300_000,
    ]);
    expect(waitMs(2, () => 0)).toBe(7_500);
  });
});
