import type { Instant } from '../base/terms.ts';

export type CompactionFacts = {
  readonly now: Instant;
  /** Tokens that the conversation fills the model's context with; null when unknown. */
  readonly contextTokens: number | null;
  /** Above this a conversation is compacted after its turn; null: never by itself. */
  readonly aboveTokens: number | null;
  /** Tokens that were left after the last compaction on this process; null when there was none. */
  readonly leftTokens: number | null;
  /** When the conversation's last compaction failed; null when it did not. */
  readonly failedAt: Instant | null;
};

/** A compaction that left so much would be repeated after every turn: it must have grown by this share since. */
const GROWN_BY = 0.25;
/** One that failed asked the model all the same: it is not paid for after every turn. */
const REST_MS = 3_600_000;

/** Whether a conversation is compacted before its next turn. Pure. */
export function decideCompaction(facts: CompactionFacts): boolean {
  const { now, contextTokens, aboveTokens, leftTokens, failedAt } = facts;
  if (contextTokens === null || aboveTokens === null || contextTokens <= aboveTokens) return false;
  if (failedAt !== null && now - failedAt < REST_MS) return false;
  return leftTokens === null || contextTokens > leftTokens * (1 + GROWN_BY);
}
