/** Amounts as every language writes them. */

/** Such as `$0.0123` or `$4.20`. */
export function toDollars(usd: number): string {
  return `$${usd.toFixed(usd > 0 && usd < 0.1 ? 4 : 2)}`;
}

/** In the largest unit that it fills, rounded down: `[12, 'seconds']`. */
export function toDuration(ms: number): readonly [number, 'seconds' | 'minutes' | 'hours' | 'days'] {
  const seconds = Math.floor(Math.max(0, ms) / 1_000);
  if (seconds < 60) return [seconds, 'seconds'];
  if (seconds < 3_600) return [Math.floor(seconds / 60), 'minutes'];
  if (seconds < 86_400) return [Math.floor(seconds / 3_600), 'hours'];
  return [Math.floor(seconds / 86_400), 'days'];
}
