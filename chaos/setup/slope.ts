/** What was measured, and after how many turns. */
export type Sample = { readonly at: number; readonly value: number };

/**
 * Least squares: how much the value grows for each thousand turns, to two decimals; 0 where there is nothing to compare.
 */
export function slopePerThousand(samples: readonly Sample[]): number {
  const meanAt = samples.reduce((sum, { at }) => sum + at, 0) / samples.length;
  const meanValue = samples.reduce((sum, { value }) => sum + value, 0) / samples.length;
  const above = samples.reduce((sum, { at, value }) => sum + (at - meanAt) * (value - meanValue), 0);
  const below = samples.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0);
  return samples.length === 0 || below === 0 ? 0 : Math.round((above / below) * 100_000) / 100;
}
