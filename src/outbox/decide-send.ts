/** What to do with a reply that the sender has claimed, tried or looked for. Facts in, a decision out; no clock, no port. */
import { backoffMs } from '../base/backoff.ts';
import { unreachable } from '../base/errors.ts';
import type { Instant } from '../base/terms.ts';
import { type OwnMessage, type SendOutcome, sameWords } from '../chat/chat.ts';
import type { OutboxRow, SendResult } from './outbox.ts';

/** How long after a send whose outcome is unknown its message is looked for: by then it stands there or never will. */
export const RECONCILE_AFTER_MS = 10_000;
/** A claim that this process slept through may be another's by now, which would look for the reply and send it again. */
const CLAIM_GOOD_MS = 5_000;
/** A repeat without having looked waits so long, so that two error pages of an older Campfire are far enough apart to tell. */
const BLIND_REPEAT_AFTER_MS = 30_000;
/** A platform that is down is tried for a day. */
export const MOST_AGE_MS = 24 * 3_600_000;
const BACKOFF = { firstMs: 2_000, mostMs: 300_000 };
const LOOK_AGAIN = { leastMs: 10_000, mostMs: 300_000 };

export type RowFacts = Pick<OutboxRow, 'attempts' | 'createdAt' | 'sendingAt' | 'mayBeDouble'>;
export type SendFacts = { readonly row: RowFacts; readonly now: Instant; random?(): number };

/** `wait`: its send began too short a time ago to be looked for, or so long ago that it may not begin any more. */
export type ClaimDecision =
  | { readonly kind: 'send' }
  | { readonly kind: 'reconcile' }
  | { readonly kind: 'wait'; readonly result: SendResult };

export function decideClaim(row: Pick<OutboxRow, 'state' | 'sendingAt'>, now: Instant): ClaimDecision {
  const since = row.sendingAt ?? 0;
  if (row.state !== 'unknown' && now - since < CLAIM_GOOD_MS) return { kind: 'send' };
  const due = since + RECONCILE_AFTER_MS;
  if (row.state === 'unknown' && now >= due) return { kind: 'reconcile' };
  return { kind: 'wait', result: { kind: 'unknown', notBefore: due, reason: 'interrupted' } };
}

export function decideAfterSend(outcome: SendOutcome, facts: SendFacts): SendResult {
  switch (outcome.kind) {
    case 'sent':
      return outcome;
    case 'refused':
      return { kind: 'buried', reason: outcome.reason };
    case 'unknown':
      return { kind: 'unknown', notBefore: facts.now + RECONCILE_AFTER_MS, reason: outcome.reason };
    case 'retry': {
      if (isTooOld(facts)) return { kind: 'buried', reason: 'too_old' };
      const delayMs = Math.max(outcome.afterMs ?? 0, backoffOf(facts));
      return { kind: 'owed', notBefore: facts.now + delayMs, reason: outcome.reason };
    }
    default:
      return unreachable(outcome);
  }
}

/** What reading the room back came to, for a row whose send is unknown. */
export type Reading =
  | { readonly kind: 'found'; readonly platformId: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'unreachable' };

/** Finds the reply among the bot's own messages: the same words, and not the message of a row that is known to be sent. */
export function findOwn(
  own: readonly OwnMessage[],
  plainText: string,
  sentIds: ReadonlySet<string>,
): Reading {
  const found = own.find(
    (message) => !sentIds.has(message.platformId) && sameWords(message.plainText, plainText),
  );
  return found === undefined ? { kind: 'absent' } : { kind: 'found', platformId: found.platformId };
}

export function decideAfterReading(reading: Reading, facts: SendFacts): SendResult {
  const { row, now } = facts;
  if (reading.kind === 'found') return { kind: 'sent', platformId: reading.platformId };
  if (isTooOld(facts)) return { kind: 'buried', reason: 'too_old' };
  switch (reading.kind) {
    case 'absent':
      return {
        kind: 'owed',
        notBefore: now + (row.attempts > 1 ? backoffOf(facts) : 0),
        reason: 'not there',
      };
    case 'unreadable': {
      if (row.mayBeDouble) return { kind: 'buried', reason: 'unconfirmed' };
      const notBefore = Math.max(now, (row.sendingAt ?? 0) + BLIND_REPEAT_AFTER_MS);
      return { kind: 'owed', notBefore, reason: 'unreadable', mayBeDouble: true };
    }
    case 'unreachable':
      return { kind: 'unknown', notBefore: now + lookAgainMs(facts), reason: 'unreachable' };
    default:
      return unreachable(reading);
  }
}

function isTooOld({ row, now }: SendFacts): boolean {
  return now - row.createdAt >= MOST_AGE_MS;
}

function backoffOf({ row, random }: SendFacts): number {
  return backoffMs(row.attempts, BACKOFF, random);
}

/** The longer it has been unknown, the less often it is looked for. */
function lookAgainMs({ row, now }: SendFacts): number {
  const unknownForMs = now - (row.sendingAt ?? now);
  return Math.min(LOOK_AGAIN.mostMs, Math.max(LOOK_AGAIN.leastMs, unknownForMs / 2));
}
