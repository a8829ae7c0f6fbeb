import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AgentEnd } from '../agent/agent.ts';
import {
  decideEnd,
  type EndFacts,
  type Interruption,
  MOST_ATTEMPTS,
  MOST_OUTAGES,
  type TurnEnd,
} from './decide-end.ts';

const NOW = 1_000_000;
const answered = (text: string): AgentEnd => ({ kind: 'answered', text });
const interrupted = (text: string): AgentEnd => ({ kind: 'interrupted', text });
const limit = (which: 'steps' | 'budget', text: string): AgentEnd => ({ kind: 'limit', limit: which, text });
const apiError = (status: number | null, retryAfterMs: number | null = null): AgentEnd => ({
  kind: 'api-error',
  status,
  retryAfterMs,
  detail: `API Error: ${status}`,
});
const died: AgentEnd = { kind: 'died', detail: 'exit code 1', text: '' };
const noTranscript: AgentEnd = { kind: 'no-transcript', detail: 'No conversation found' };

const settle = (outcome: string, text: string | null, notice: string | null) => ({
  kind: 'settle',
  outcome,
  text,
  notice,
});
const again = (outcome: string, waitMs: number, notice: string | null = null) => ({
  kind: 'give-back',
  outcome,
  notBefore: NOW + waitMs,
  countAttempt: true,
  notice,
});
const uncounted = (outcome: string) => ({
  kind: 'give-back',
  outcome,
  notBefore: null,
  countAttempt: false,
  notice: null,
});
const givenUp = (outcome: string) => ({
  kind: 'bury',
  outcome,
  reason: 'attempts',
  notice: 'connection_trouble',
});
const refused = (outcome: string) => ({
  kind: 'bury',
  outcome,
  reason: 'connection_trouble',
  notice: 'connection_trouble',
});

/** With the longest jitter, so that back-off stands in whole numbers. */
function decide(end: AgentEnd, interruption: Interruption = 'none', attempt = 1): TurnEnd {
  return decideEnd({ end, interruption, attempt, now: NOW, canFallBack: false }, () => 1);
}

describe('a turn that its endpoint failed', () => {
  const trouble: AgentEnd = { kind: 'api-error', status: 401, retryAfterMs: null, detail: 'refused' };

  it('is tried again at once on the other endpoint, whatever the status and the attempt', () => {
    const facts = { end: trouble, interruption: 'none', attempt: 3, now: NOW, canFallBack: true } as const;
    expect(decideEnd(facts)).toMatchObject({ kind: 'give-back', notBefore: null, notice: null });
  });
});

describe('a turn that ended by itself', () => {
  it.each<[string, AgentEnd, object]>([
    ['settles an answer', answered('Hello.'), settle('answered', 'Hello.', null)],
    ['never posts an empty answer', answered(''), settle('answered', null, 'nothing_to_say')],
    ['never posts an answer of white space', answered(' \n\t'), settle('answered', null, 'nothing_to_say')],
    [
      'posts what there is at the step limit',
      limit('steps', 'So far.'),
      settle('steps-limit', 'So far.', 'step_limit'),
    ],
    [
      'says only the step limit when there is nothing',
      limit('steps', ''),
      settle('steps-limit', null, 'step_limit'),
    ],
    [
      'posts what there is at the budget limit',
      limit('budget', 'So far.'),
      settle('budget-limit', 'So far.', 'budget_reached'),
    ],
    [
      'says only the budget limit when there is nothing',
      limit('budget', ''),
      settle('budget-limit', null, 'budget_reached'),
    ],
    [
      'says stopped when somebody else interrupted it',
      interrupted('Half.'),
      settle('interrupted', 'Half.', 'stopped'),
    ],
    ['starts again at once without a transcript', noTranscript, uncounted('no-transcript')],
  ])('%s', (_name, end, expected) => {
    expect(decide(end)).toEqual(expected);
  });
});

describe('a turn that we interrupted', () => {
  const ends: readonly [string, AgentEnd, string | null][] = [
    ['interrupted with a text', interrupted('Half.'), 'Half.'],
    ['interrupted without a text', interrupted(''), null],
    ['at a limit', limit('steps', 'So far.'), 'So far.'],
    ['with an API error', apiError(529), null],
    ['with a refused credential', apiError(401), null],
    ['dead', died, null],
    ['dead after half a text', { ...died, text: 'Half.' }, 'Half.'],
    ['without a transcript', noTranscript, null],
  ];

  it.each(ends)('over its limit settles with what there is: %s', (_name, end, text) => {
    expect(decide(end, 'turn-timeout')).toEqual(settle('timed-out', text, 'timed_out'));
  });
  it.each(ends)('on request settles with what there is: %s', (_name, end, text) => {
    expect(decide(end, 'stopped')).toEqual(settle('stopped', text, 'stopped'));
  });
  it.each(ends)('by a command settles with what there is and says no more: %s', (_name, end, text) => {
    expect(decide(end, 'stopped-by-command')).toEqual(settle('stopped-by-command', text, null));
  });
  it.each(ends)('for a newer message settles with what there is and says no more: %s', (_name, end, text) => {
    expect(decide(end, 'superseded')).toEqual(settle('superseded', text, null));
  });
  it.each(ends)('for a drain runs again and counts no attempt: %s', (_name, end) => {
    expect(decide(end, 'drain', MOST_ATTEMPTS)).toEqual(uncounted('drained'));
  });
  it.each(ends)('for its silence runs again, then is given up: %s', (_name, end) => {
    expect(decide(end, 'silent', 1)).toEqual(again('silent', 1_000));
    expect(decide(end, 'silent', 2)).toEqual(again('silent', 2_000));
    expect(decide(end, 'silent', 3)).toEqual(givenUp('silent'));
  });

  it.each<Interruption>(['turn-timeout', 'silent', 'drain', 'stopped', 'stopped-by-command', 'superseded'])(
    'but had finished by then is answered: %s',
    (interruption) => {
      expect(decide(answered('Done.'), interruption)).toEqual(settle('answered', 'Done.', null));
    },
  );
});

describe('a turn that failed', () => {
  it.each<[string, AgentEnd, string, readonly number[], string | null]>([
    ['overloaded', apiError(529), 'api-error-529', [4_000, 8_000], 'takes_longer'],
    ['a server error', apiError(500), 'api-error-500', [4_000, 8_000], 'takes_longer'],
    ['a dropped connection', apiError(null), 'api-error-connection', [4_000, 8_000], 'takes_longer'],
    ['a usage limit', apiError(429), 'api-error-429', [4_000, 8_000], 'takes_longer'],
    ['Retry-After', apiError(429, 61_000), 'api-error-429', [61_000, 61_000], 'takes_longer'],
    ['a shorter Retry-After', apiError(529, 500), 'api-error-529', [4_000, 8_000], 'takes_longer'],
  ])('waits an outage out, telling the room once: %s', (_name, end, outcome, waits, notice) => {
    expect(decide(end, 'none', 1)).toEqual(again(outcome, waits[0] ?? -1, notice));
    expect(decide(end, 'none', 2)).toEqual(again(outcome, waits[1] ?? -1));
    expect(decide(end, 'none', MOST_OUTAGES - 1)).toMatchObject({ kind: 'give-back', notice: null });
    expect(decide(end, 'none', MOST_OUTAGES)).toEqual(givenUp(outcome));
    expect(decide(end, 'none', MOST_OUTAGES + 1)).toEqual(givenUp(outcome));
  });

  it('waits for a dead process twice, then is given up', () => {
    expect(decide(died, 'none', 1)).toEqual(again('died', 500));
    expect(decide(died, 'none', 2)).toEqual(again('died', 1_000));
    expect(decide(died, 'none', MOST_ATTEMPTS)).toEqual(givenUp('died'));
    expect(decide(died, 'none', MOST_ATTEMPTS + 1)).toEqual(givenUp('died'));
  });

  it.each([401, 403])('is not tried again with a credential that was refused: %i', (status) => {
    for (const attempt of [1, 2, 3])
      expect(decide(apiError(status), 'none', attempt)).toEqual(refused(`api-error-${status}`));
  });

  it('without a transcript is never given up for it, because the next start is cold', () => {
    expect(decide(noTranscript, 'none', MOST_ATTEMPTS)).toEqual(uncounted('no-transcript'));
  });
});

describe('whatever happened', () => {
  const detail = fc.string({ minLength: 1 }).map((text) => `API Error: 529 ${text}`);
  const failures: fc.Arbitrary<AgentEnd> = fc.oneof(
    fc.record({
      kind: fc.constant('api-error' as const),
      status: fc.option(fc.integer({ min: 100, max: 599 }), { nil: null }),
      retryAfterMs: fc.option(fc.nat(), { nil: null }),
      detail,
    }),
    fc.record({ kind: fc.constant('died' as const), detail, text: fc.constant('') }),
    fc.record({ kind: fc.constant('no-transcript' as const), detail }),
  );
  const texts: fc.Arbitrary<AgentEnd> = fc.oneof(
    fc.record({ kind: fc.constantFrom('answered' as const, 'interrupted' as const), text: fc.string() }),
    fc.record({
      kind: fc.constant('limit' as const),
      limit: fc.constantFrom('steps' as const, 'budget' as const),
      text: fc.string(),
    }),
  );
  const factsWith = (end: fc.Arbitrary<AgentEnd>): fc.Arbitrary<EndFacts> =>
    fc.record({
      end,
      interruption: fc.constantFrom<Interruption>('none', 'turn-timeout', 'silent', 'drain', 'stopped'),
      attempt: fc.integer({ min: 1, max: MOST_OUTAGES + 1 }),
      canFallBack: fc.boolean(),
      now: fc.nat(),
    });

  it("an error's text is never a reply and never in the outcome's name", () => {
    fc.assert(
      fc.property(factsWith(failures), (facts) => {
        const decided = decideEnd(facts);
        if (decided.kind === 'settle') expect(decided.text).toBeNull();
        if ('detail' in facts.end) expect(JSON.stringify(decided)).not.toContain('API Error');
      }),
    );
  });

  it('the room reads something whenever a message ends by itself, and never an empty reply', () => {
    fc.assert(
      fc.property(factsWith(fc.oneof(failures, texts)), (facts) => {
        const decided = decideEnd(facts);
        if (decided.kind === 'settle') {
          expect(decided.text ?? decided.notice).not.toBeNull();
          expect(decided.text?.trim()).not.toBe('');
        }
        if (decided.kind === 'bury') expect(decided.notice).toBe('connection_trouble');
      }),
    );
  });

  it('no counted attempt is given back after the last one, and no wait lies in the past', () => {
    fc.assert(
      fc.property(factsWith(fc.oneof(failures, texts)), (facts) => {
        const decided = decideEnd(facts);
        if (decided.kind !== 'give-back') return;
        const most = facts.end.kind === 'api-error' ? MOST_OUTAGES : MOST_ATTEMPTS;
        if (facts.attempt >= most) expect(decided.countAttempt).toBe(false);
        if (decided.notBefore !== null) expect(decided.notBefore).toBeGreaterThanOrEqual(facts.now);
      }),
    );
  });
});
