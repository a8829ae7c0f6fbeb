/** How long what is kept, and when a conversation expired. Pure. */
import type { Instant } from '../base/terms.ts';

/** As configured, in milliseconds. */
export type KeepTimes = {
  /** `RETENTION_DAYS` */
  readonly retentionMs: number;
  /** `CATCH_UP_HOURS` */
  readonly catchUpMs: number;
};

/** What ended before these may go. */
export type Cutoffs = { readonly messages: Instant; readonly ledger: Instant; readonly others: Instant };

const HOUR_MS = 3_600_000;
/** The limit of a day is counted in the person's own day, which began less than two of ours ago. */
const LEDGER_LEAST_MS = 48 * HOUR_MS;

export function decideCutoffs(now: Instant, { retentionMs, catchUpMs }: KeepTimes): Cutoffs {
  return {
    // A message that catch-up may still find in its room would be new without its dedupe key.
    messages: now - Math.max(retentionMs, catchUpMs + HOUR_MS),
    ledger: now - Math.max(retentionMs, LEDGER_LEAST_MS),
    others: now - retentionMs,
  };
}

/** When a session last used at `usedAt` expired, where that was before `before`; null: it is kept. */
export function decideExpiry(usedAt: Instant, ttlMs: number | null, before: Instant): Instant | null {
  if (ttlMs === null) return null;
  const expiredAt = usedAt + ttlMs;
  return expiredAt < before ? expiredAt : null;
}
