import { type AgentEnd, type Interruption, isEndpointFault, isSessionFault } from '../agent/agent.ts';
import { unreachable } from '../base/errors.ts';
import type { Instant } from '../base/terms.ts';
import type { RunOutcome, UpdateErrorCode, WaitReason } from './terms.ts';

/** Attempts after which an update is given up. */
export const MOST_ATTEMPTS = 3;

/** How long an endpoint that says nothing about it is left alone after a limit, and after a refused credential. */
const LIMIT_MS = 60_000;
const REFUSED_MS = 300_000;
const MOST_WAIT_MS = 86_400_000;

/**
 * Why a run is asked to end before it is done.
 *
 * - `cancelled`: somebody cancelled the update.
 * - `drain`: the server stops; the update goes on at its next start.
 * - `lease-lost`: another server has the project; nothing may be written any more.
 * - `preempted`: an optional step gives way.
 */
export type StopReason = 'cancelled' | 'drain' | 'lease-lost' | 'preempted';

export type RunEndFacts = {
  readonly end: AgentEnd | { readonly kind: 'not-started'; readonly detail: string };
  readonly interruption: Interruption<StopReason>;
  /** The process said something before it ended. */
  readonly wasHeard: boolean;
  /** It went on from another session. */
  readonly resumed: boolean;
  /** The update's, from 1. */
  readonly attempt: number;
  readonly now: Instant;
  /** The endpoint failed and there is another one: the next try goes there, at once. */
  readonly canFallBack: boolean;
};

/**
 * What becomes of the update.
 *
 * - `take`: the run's result counts.
 * - `fall-back`: its session is lost; a fresh one does the work, in the same attempt.
 * - `again`: the update waits and is tried again.
 * - `fail`: it is given up.
 * - `stop`: we asked for it; whoever asked knows what comes next.
 */
export type RunEnd = { readonly outcome: RunOutcome; readonly blamesSession: boolean } & (
  | { readonly kind: 'take' }
  | { readonly kind: 'fall-back' }
  | {
      readonly kind: 'again';
      readonly notBefore: Instant;
      readonly reason: Extract<WaitReason, 'back-off' | 'provider-limit'>;
      readonly givesBackAttempt: boolean;
    }
  | { readonly kind: 'fail'; readonly error: UpdateErrorCode }
  | { readonly kind: 'stop' }
);

/** Pure: how the process ended, and why we cut in → what becomes of the update. */
export function decideRunEnd(facts: RunEndFacts, random: () => number = Math.random): RunEnd {
  const { end, interruption } = facts;
  if (end.kind === 'answered') return { kind: 'take', outcome: 'ok', blamesSession: false };
  if (interruption !== 'none') return decideInterrupted(interruption, facts, random);
  // What it was to go on from may be why a process did not come up.
  const isToBlame = end.kind === 'not-started' || isSessionFault(end, facts.wasHeard);
  const blamesSession = facts.resumed && isToBlame;
  switch (end.kind) {
    case 'no-transcript':
      return facts.resumed
        ? { kind: 'fall-back', outcome: 'no-transcript', blamesSession: false }
        : again('no-transcript', 'agent_failed', facts, random);
    case 'limit':
      return {
        kind: 'fail',
        outcome: 'limit',
        blamesSession: false,
        error: end.limit === 'steps' ? 'steps_used_up' : 'budget_exceeded',
      };
    case 'api-error':
      return { ...decideApiError(end, facts, random), blamesSession };
    case 'interrupted':
      return again('interrupted', 'agent_failed', facts, random);
    case 'died':
    case 'not-started':
      return { ...again(end.kind, 'agent_failed', facts, random), blamesSession };
    default:
      return unreachable(end);
  }
}

function decideInterrupted(
  why: Exclude<Interruption<StopReason>, 'none'>,
  facts: RunEndFacts,
  random: () => number,
): RunEnd {
  switch (why) {
    case 'cancelled':
    case 'preempted':
      return { kind: 'stop', outcome: 'cancelled', blamesSession: false };
    case 'drain':
    case 'lease-lost':
      return { kind: 'stop', outcome: 'interrupted', blamesSession: false };
    case 'turn-timeout':
      return again('timeout', 'agent_timeout', facts, random);
    case 'silent':
      return again('stuck', 'agent_stuck', facts, random);
    default:
      return unreachable(why);
  }
}

/** The process has asked the endpoint again by itself; a limit and a refused credential are not the update's fault. */
function decideApiError(
  end: Extract<AgentEnd, { kind: 'api-error' }>,
  facts: RunEndFacts,
  random: () => number,
): RunEnd {
  const given = { outcome: 'api-error', blamesSession: false } as const;
  const givenBack = { kind: 'again', ...given, givesBackAttempt: true } as const;
  if (facts.canFallBack && isEndpointFault(end))
    return { ...givenBack, notBefore: facts.now, reason: 'back-off' };
  if (end.status === 429 || end.status === 529) {
    const waitMs = Math.min(MOST_WAIT_MS, end.retryAfterMs ?? LIMIT_MS);
    // Those that wait for the same limit do not come back in the same moment.
    const notBefore = facts.now + Math.round(waitMs * (1 + random() / 10));
    return { ...givenBack, notBefore, reason: 'provider-limit' };
  }
  if (end.status === 401 || end.status === 403)
    return { ...givenBack, notBefore: facts.now + REFUSED_MS, reason: 'provider-limit' };
  return again('api-error', 'agent_refused_by_provider', facts, random);
}

function again(
  outcome: RunOutcome,
  error: UpdateErrorCode,
  { attempt, now }: RunEndFacts,
  random: () => number,
): RunEnd {
  if (attempt >= MOST_ATTEMPTS) return { kind: 'fail', outcome, blamesSession: false, error };
  const notBefore = now + waitMs(attempt, random);
  return {
    kind: 'again',
    outcome,
    blamesSession: false,
    notBefore,
    reason: 'back-off',
    givesBackAttempt: false,
  };
}

/** 5, 15, 45 … seconds, at most five minutes, with jitter in the upper half. */
export function waitMs(attempt: number, random: () => number): number {
  const ceiling = Math.min(300_000, 5_000 * 3 ** Math.max(0, attempt - 1));
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}
