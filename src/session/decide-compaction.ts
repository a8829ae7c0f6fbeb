export type CompactionFacts = {
  /** Tokens that the conversation fills the model's context with; null when unknown. */
  readonly contextTokens: number | null;
  /** Above this a conversation is compacted after its turn; null: never by itself. */
  readonly aboveTokens: number | null;
  /** Tokens that were left after the last compaction on this process; null when there was none. */
  readonly leftTokens: number | null;
};

/** A compaction that left so much would be repeated after every turn: it must have grown by this share since. */
const GROWN_BY = 0.25;

/** Whether a conversation is compacted before its next turn. Pure. */
export function decideCompaction({ contextTokens, aboveTokens, leftTokens }: CompactionFacts): boolean {
  if (contextTokens === null || aboveTokens === null || contextTokens <= aboveTokens) return false;
  return leftTokens === null || contextTokens > leftTokens * (1 + GROWN_BY);
}
