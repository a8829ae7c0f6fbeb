import type { Clock } from '../base/clock.ts';
import type { Instant } from '../base/terms.ts';

/** Counts wrong secrets per address, so that a weak token cannot be tried out. */
export type Attempts = {
  /** Whether this address has used up its wrong ones: then even the right one is not looked at. */
  isBlocked(address: string): boolean;
  failed(address: string): void;
};

const ALLOWED = 10;
const WINDOW_MS = 60_000;
/** The oldest is forgotten beyond it: who owns a thousand addresses is not stopped by counting. */
const MOST_ADDRESSES = 1_000;

export function makeAttempts(clock: Clock): Attempts {
  const failures = new Map<string, { count: number; readonly since: Instant }>();

  function current(address: string): { count: number; readonly since: Instant } | null {
    const entry = failures.get(address);
    if (entry === undefined) return null;
    if (clock.now() - entry.since < WINDOW_MS) return entry;
    failures.delete(address);
    return null;
  }

  return {
    isBlocked: (address) => (current(address)?.count ?? 0) >= ALLOWED,
    failed(address) {
      const entry = current(address);
      if (entry !== null) {
        entry.count += 1;
        return;
      }
      if (failures.size >= MOST_ADDRESSES)
        for (const [oldest] of failures) {
          failures.delete(oldest);
          break;
        }
      failures.set(address, { count: 1, since: clock.now() });
    },
  };
}
