/** How long to wait before attempt `attempt` (1 = the first repeat), in milliseconds, with full jitter in its upper half. */
export function backoffMs(
  attempt: number,
  limits: { firstMs: number; mostMs: number },
  random: () => number = Math.random,
): number {
  const ceiling = Math.min(limits.mostMs, limits.firstMs * 2 ** Math.max(0, attempt - 1));
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}
