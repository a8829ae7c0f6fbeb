import { isDeepStrictEqual } from 'node:util';
import { backoffMs } from '../base/backoff.ts';
import type { Instant } from '../base/terms.ts';
import type { AgentSpec } from './agent.ts';

/** As much of a spare's place as decides what becomes of it. */
export type SpareFacts =
  | { readonly kind: 'empty'; readonly notBefore: Instant }
  | { readonly kind: 'starting' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'promised'; readonly until: Instant };

export type SpareDecision =
  | { readonly kind: 'start' }
  /** It was promised and nobody came; its id is known to somebody, so that nobody else may have it. */
  | { readonly kind: 'end' }
  | { readonly kind: 'look-again'; readonly at: Instant }
  | { readonly kind: 'leave' };

export function decideSpare(facts: SpareFacts, now: Instant): SpareDecision {
  switch (facts.kind) {
    case 'empty':
      return now >= facts.notBefore ? { kind: 'start' } : { kind: 'look-again', at: facts.notBefore };
    case 'promised':
      return now >= facts.until ? { kind: 'end' } : { kind: 'look-again', at: facts.until };
    default:
      return { kind: 'leave' };
  }
}

/** How a spare's place became empty. */
export type SpareLoss =
  | { readonly kind: 'claimed' | 'lapsed' | 'refused' | 'not-started' }
  | { readonly kind: 'died'; readonly livedMs: number };

/** The turn that claimed a spare has its process at work: the next one is started when that is mostly done. */
const AFTER_CLAIM_MS = 3_000;
/** Who lived this long died of something else than its start. */
const STEADY_MS = 60_000;
const BACKOFF = { firstMs: 1_000, mostMs: 5 * 60_000 };

/** When the next spare may be started, and how many were lost in a row by then. */
export function decideRest(
  loss: SpareLoss,
  failures: number,
  random?: () => number,
): { readonly failures: number; readonly delayMs: number } {
  if (loss.kind === 'claimed') return { failures: 0, delayMs: AFTER_CLAIM_MS };
  if (loss.kind === 'lapsed') return { failures, delayMs: 0 };
  const lost = loss.kind === 'died' && loss.livedMs >= STEADY_MS ? 1 : failures + 1;
  return { failures: lost, delayMs: backoffMs(lost, BACKOFF, random) };
}

/** Whether a process that was started with one spec can serve the other. */
export function isSameSpec(one: AgentSpec, other: AgentSpec): boolean {
  return isDeepStrictEqual(withoutUndefined(one), withoutUndefined(other));
}

function withoutUndefined(spec: AgentSpec): object {
  return Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined));
}
