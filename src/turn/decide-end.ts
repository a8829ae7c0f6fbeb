import type { AgentEnd, Interruption as AgentInterruption } from '../agent/agent.ts';
import { backoffMs } from '../base/backoff.ts';
import { unreachable } from '../base/errors.ts';
import type { Instant } from '../base/terms.ts';
import type { NoticeKind } from '../bots/bots.ts';
import type { BuryReason } from '../inbox/inbox.ts';
import type { AbortReason } from './turn.ts';

/** Attempts after which a message is given up. */
export const MOST_ATTEMPTS = 3;
/** Of turns that the endpoint failed: the message waits out an outage of some six to nine minutes. */
export const MOST_OUTAGES = 8;

export type Interruption = AgentInterruption<AbortReason>;

/**
 * What becomes of a turn's messages.
 *
 * - `settle`: they are answered; `text` is the model's (null: none), `notice` what is said besides.
 * - `give-back`: they wait and run again; the transcript goes back to the settled entry.
 * - `bury`: they are given up with a notice.
 */
export type TurnEnd =
  | {
      readonly kind: 'settle';
      readonly outcome: string;
      readonly text: string | null;
      readonly notice: NoticeKind | null;
    }
  | {
      readonly kind: 'give-back';
      readonly outcome: string;
      readonly notBefore: Instant | null;
      readonly countAttempt: boolean;
      readonly notice: NoticeKind | null;
    }
  | {
      readonly kind: 'bury';
      readonly outcome: string;
      readonly reason: BuryReason;
      readonly notice: NoticeKind;
    };

export type EndFacts = {
  readonly end: AgentEnd;
  readonly interruption: Interruption;
  /** This attempt's number, from 1. */
  readonly attempt: number;
  readonly now: Instant;
  /** The endpoint failed and there is another one: the next try goes there, at once. */
  readonly canFallBack: boolean;
};

/** Pure: how the process ended its turn, and why we cut in → what becomes of the messages. */
export function decideEnd(facts: EndFacts, random: () => number = Math.random): TurnEnd {
  const { end } = facts;
  if (facts.interruption !== 'none' && end.kind !== 'answered')
    return decideInterrupted(facts, facts.interruption, random);
  switch (end.kind) {
    case 'answered':
      return answered('answered', end.text, null);
    case 'limit':
      return answered(
        `${end.limit}-limit`,
        end.text,
        end.limit === 'steps' ? 'step_limit' : 'budget_reached',
      );
    case 'interrupted':
      return answered('interrupted', end.text, 'stopped');
    case 'api-error':
      return decideApiError(end, facts, random);
    case 'no-transcript':
      return {
        kind: 'give-back',
        outcome: 'no-transcript',
        notBefore: null,
        countAttempt: false,
        notice: null,
      };
    case 'died':
      return again('died', facts, backoffMs(facts.attempt, { firstMs: 500, mostMs: 10_000 }, random));
    default:
      return unreachable(end);
  }
}

function decideInterrupted(
  facts: EndFacts,
  why: Exclude<Interruption, 'none'>,
  random: () => number,
): TurnEnd {
  const said = 'text' in facts.end ? facts.end.text : '';
  switch (why) {
    case 'turn-timeout':
      return answered('timed-out', said, 'timed_out');
    case 'stopped':
      return answered('stopped', said, 'stopped');
    case 'stopped-by-command':
    case 'superseded':
      return cutShort(why, said);
    case 'drain':
      return { kind: 'give-back', outcome: 'drained', notBefore: null, countAttempt: false, notice: null };
    case 'silent':
      return again('silent', facts, backoffMs(facts.attempt, { firstMs: 1_000, mostMs: 30_000 }, random));
    default:
      return unreachable(why);
  }
}

/** A refused credential does not get better by asking again; everything else may. The room hears of it once. */
function decideApiError(
  end: Extract<AgentEnd, { kind: 'api-error' }>,
  facts: EndFacts,
  random: () => number,
): TurnEnd {
  const outcome = `api-error-${end.status ?? 'connection'}`;
  // No attempt of the message's: the other endpoint gets them all, and from there is no further one.
  if (facts.canFallBack)
    return { kind: 'give-back', outcome, notBefore: null, countAttempt: false, notice: null };
  if (end.status === 401 || end.status === 403)
    return { kind: 'bury', outcome, reason: 'connection_trouble', notice: 'connection_trouble' };
  // What the process waited between its own tries comes as the endpoint's wish too: it never shortens the wait.
  const ownMs = backoffMs(facts.attempt, { firstMs: 4_000, mostMs: 300_000 }, random);
  const waitMs = Math.max(end.retryAfterMs ?? 0, ownMs);
  const notice = facts.attempt === 1 ? 'takes_longer' : null;
  return again(outcome, facts, waitMs, { notice, most: MOST_OUTAGES });
}

function again(
  outcome: string,
  facts: EndFacts,
  waitMs: number,
  { notice, most }: { notice: NoticeKind | null; most: number } = { notice: null, most: MOST_ATTEMPTS },
): TurnEnd {
  if (facts.attempt >= most)
    return { kind: 'bury', outcome, reason: 'attempts', notice: 'connection_trouble' };
  return { kind: 'give-back', outcome, notBefore: facts.now + waitMs, countAttempt: true, notice };
}

/** Settled with what there is; the command, or the message that comes next, is all that is said about it. */
function cutShort(outcome: string, text: string): TurnEnd {
  return { kind: 'settle', outcome, text: text.trim() === '' ? null : text, notice: null };
}

/** An empty answer is never posted as an empty message. */
function answered(outcome: string, text: string, notice: NoticeKind | null): TurnEnd {
  if (text.trim() !== '') return { kind: 'settle', outcome, text, notice };
  return { kind: 'settle', outcome, text: null, notice: notice ?? 'nothing_to_say' };
}
