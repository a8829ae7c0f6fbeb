/** Least squares: how much the value grows for each thousand turns; 0 where there is nothing to compare. */
export function slopePerThousand(points: readonly { readonly at: number; readonly value: number }[]): number {
  const meanAt = points.reduce((sum, { at }) => sum + at, 0) / points.length;
  const meanValue = points.reduce((sum, { value }) => sum + value, 0) / points.length;
  const above = points.reduce((sum, { at, value }) => sum + (at - meanAt) * (value - meanValue), 0);
  const below = points.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0);
  return points.length === 0 || below === 0 ? 0 : (above / below) * 1_000;
}
