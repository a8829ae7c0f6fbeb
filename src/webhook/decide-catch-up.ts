/** When missed messages are looked for, how far back, and which of those that are found were missed. */
import type { Instant } from '../base/terms.ts';
import type { HeardMessage } from '../chat/chat.ts';

const EVERY_MS = 600_000;
/** Something could not be read: a Campfire that restarts is back in less. */
const AGAIN_MS = 60_000;
/** A message that was refused is in the chat already; its neighbours may be refused still. */
const AFTER_REFUSAL_MS = 5_000;
/** However many are refused. */
const APART_MS = 30_000;

export type RoundFacts = {
  readonly now: Instant;
  /** The last round; null before the first. `isWhole`: everything could be read and accepted. */
  readonly last: { readonly beganAt: Instant; readonly endedAt: Instant; readonly isWhole: boolean } | null;
  /** When a message was last refused because it could not be stored; null: never. */
  readonly refusedAt: Instant | null;
};

/** When the next round begins: at once after the start, soon after a refusal, else every ten minutes. */
export function decideNextRound({ now, last, refusedAt }: RoundFacts): Instant {
  if (last === null) return now;
  const usual = last.endedAt + (last.isWhole ? EVERY_MS : AGAIN_MS);
  // What was refused before a round began was found by it.
  if (refusedAt === null || refusedAt < last.beganAt) return usual;
  return Math.min(usual, Math.max(refusedAt + AFTER_REFUSAL_MS, last.endedAt + APART_MS));
}

/** Never before the server first knew the bot: whoever sets one up wants no answers to what was said before. */
export function decideSince(facts: {
  readonly now: Instant;
  readonly firstSeenAt: Instant;
  readonly catchUpMs: number;
}): Instant {
  return Math.max(facts.now - facts.catchUpMs, facts.firstSeenAt);
}

/** Those that were not accepted, in the order in which they were sent. */
export function chooseMissed(
  heard: readonly HeardMessage[],
  known: ReadonlySet<string>,
  since: Instant,
): readonly HeardMessage[] {
  return heard
    .filter(({ messageId, sentAt }) => sentAt >= since && !known.has(messageId))
    .toSorted((one, other) => one.sentAt - other.sentAt);
}
