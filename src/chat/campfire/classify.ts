/** What Campfire's answers mean for a post. The table of them is in the test, from a recorded Campfire. */
import type { Instant } from '../../base/terms.ts';
import type { SendOutcome } from '../chat.ts';
import type { Answer, NoAnswer } from './exchange.ts';

/** An older Campfire says with an error page that the room is gone, but also that it has trouble: twice so far apart tell. */
export const ERROR_PAGES_APART_MS = 30_000;
/** A longer `Retry-After` is a mistake or an attack on the queue. */
const MOST_RETRY_AFTER_MS = 3_600_000;

/** The reason of an outcome that was an older Campfire's error page. */
export const ERROR_PAGE = 'error_page';

/** `firstErrorPageAt`: since when this room and bot have got nothing but error pages; null when they have not. */
export type PostFacts = {
  readonly answer: Answer | NoAnswer;
  readonly firstErrorPageAt: Instant | null;
  readonly now: Instant;
};

export function classifyPost(facts: PostFacts): SendOutcome {
  const { answer } = facts;
  if (answer.kind === 'no-answer') {
    return { kind: answer.delivered === 'no' ? 'retry' : 'unknown', reason: answer.code };
  }
  const { status } = answer;
  if (status === 201) return { kind: 'sent', platformId: messageIdIn(answer.location) };
  if (status >= 300 && status < 400) return redirected(status);
  if (status === 429) return tooMany(answer, facts.now);
  if (status >= 400 && status < 500) {
    const reason = status === 404 ? 'room_gone' : 'rejected';
    return { kind: 'refused', reason, detail: `status_${status}` };
  }
  if (status === 500 && isPage(answer)) return errorPage(facts);
  // A 5xx may come after the message was stored; any other 2xx is no promise that it was.
  return { kind: 'unknown', reason: `status_${status}` };
}

/** 302 is the way to the login page: the key opens nothing any more. */
function redirected(status: number): SendOutcome {
  const detail = `status_${status}`;
  if (status === 302) return { kind: 'refused', reason: 'key_refused', detail };
  // Another address than the one that was set up: nothing was posted, and setting it right lets the reply go.
  return { kind: 'retry', reason: detail };
}

function errorPage({ firstErrorPageAt, now }: PostFacts): SendOutcome {
  const isGone = firstErrorPageAt !== null && now - firstErrorPageAt >= ERROR_PAGES_APART_MS;
  if (isGone) return { kind: 'refused', reason: 'room_gone', detail: ERROR_PAGE };
  return { kind: 'unknown', reason: ERROR_PAGE };
}

/** Campfire's own answers without a page have an empty body, whatever type they declare. */
export function isPage(answer: Answer): boolean {
  return answer.contentType.startsWith('text/html') && answer.body.trim() !== '';
}

function messageIdIn(location: string | null): string | null {
  return /\/messages\/(\d+)$/.exec(location ?? '')?.[1] ?? null;
}

function tooMany(answer: Answer, now: Instant): SendOutcome {
  const reason = `status_${answer.status}`;
  const afterMs = retryAfterMs(answer.retryAfter, now);
  return afterMs === null ? { kind: 'retry', reason } : { kind: 'retry', reason, afterMs };
}

/** `Retry-After` is seconds or a date. */
function retryAfterMs(header: string | null, now: Instant): number | null {
  if (header === null) return null;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? null : Math.min(MOST_RETRY_AFTER_MS, Math.max(0, ms));
}
