import { describe, expect, it } from 'vitest';
import { makeFakeClock } from '../../test/fixtures/fake-clock.ts';
import type { ModelEndpoint } from '../agent/agent.ts';
import type { ConversationKey } from '../base/terms.ts';
import { afterTurn, CLOSED, decideEndpoint } from './decide-endpoint.ts';
import { makeEndpoints } from './endpoints.ts';

const MINUTE = 60_000;
const [a, b] = ['builtin:1:x', 'builtin:2:x'] as ConversationKey[] as [ConversationKey, ConversationKey];

/** For the first conversation, where none is named. */
const decide = (facts: Omit<Parameters<typeof decideEndpoint>[0], 'conversation'>, conversation = a) =>
  decideEndpoint({ conversation, ...facts });

describe('decideEndpoint', () => {
  it('uses the primary while its circuit is closed', () => {
    expect(decide({ circuit: CLOSED, now: 0, movedUntil: null }).endpoint).toBe('primary');
  });

  it('keeps a conversation that the primary failed with the fallback for a while', () => {
    expect(decide({ circuit: CLOSED, now: 5, movedUntil: 6 }).endpoint).toBe('fallback');
    expect(decide({ circuit: CLOSED, now: 6, movedUntil: 6 }).endpoint).toBe('primary');
  });

  it('opens after three failures within a minute, not after three in a long time', () => {
    const twice = afterTurn(afterTurn(CLOSED, false, 0), false, 1);
    expect(afterTurn(twice, false, 2)).toEqual({ state: 'open', until: 2 + MINUTE });
    expect(afterTurn(twice, false, 2 * MINUTE)).toEqual({ state: 'closed', failures: [2 * MINUTE] });
  });

  it('lets one conversation probe when the open time is over, and the others stay away', () => {
    const open = { state: 'open', until: MINUTE } as const;
    expect(decide({ circuit: open, now: MINUTE - 1, movedUntil: null }).endpoint).toBe('fallback');
    const probe = decide({ circuit: open, now: MINUTE, movedUntil: null });
    expect(probe).toMatchObject({ endpoint: 'primary', circuit: { state: 'half-open' } });
    const again = { circuit: probe.circuit, now: MINUTE + 1, movedUntil: null };
    expect(decide(again).endpoint).toBe('primary');
    expect(decide(again, b).endpoint).toBe('fallback');
    expect(afterTurn(probe.circuit, true, MINUTE + 2)).toEqual(CLOSED);
    expect(afterTurn(probe.circuit, false, MINUTE + 2)).toMatchObject({ state: 'open' });
  });
});

describe('endpoints', () => {
  const primary: ModelEndpoint = { name: 'primary', env: { ANTHROPIC_API_KEY: 'one' } };
  const second: ModelEndpoint = { name: 'fallback', env: { ANTHROPIC_API_KEY: 'two' } };

  it('moves only the conversation that failed, and back when its time is over', async () => {
    const clock = makeFakeClock();
    const endpoints = makeEndpoints({ primary, fallback: { endpoint: second, model: 'small' }, clock });
    expect(endpoints.choose(a)).toEqual({ endpoint: primary, model: null });
    expect(endpoints.report(a, 'primary', false)).toBe(true);
    expect(endpoints.choose(a)).toEqual({ endpoint: second, model: 'small' });
    expect(endpoints.choose(b).endpoint).toBe(primary);
    await clock.advance(5 * MINUTE);
    expect(endpoints.choose(a).endpoint).toBe(primary);
  });

  it('has nowhere to move without a fallback, nor from the fallback itself', () => {
    const clock = makeFakeClock();
    expect(makeEndpoints({ primary, fallback: null, clock }).report(a, 'primary', false)).toBe(false);
    const both = makeEndpoints({ primary, fallback: { endpoint: second, model: null }, clock });
    expect(both.report(a, 'fallback', false)).toBe(false);
  });
});
