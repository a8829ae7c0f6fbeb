import type { Instant } from '../base/terms.ts';

const MINUTE_MS = 60_000;

export type TokenBuckets = {
  isEmpty(key: string, now: Instant): boolean;
  /** Takes one token; of an empty bucket nothing. */
  take(key: string, now: Instant): void;
  /** Puts back one that was taken for nothing. */
  giveBack(key: string, now: Instant): void;
};

type Bucket = { readonly tokens: number; readonly at: Instant };

/**
 * A bucket for each key, full at first and filled again in a minute. The `mostKeys` that were used last are kept: one that
 * was not used for a minute is full, and so as good as forgotten.
 */
export function makeTokenBuckets(perMinute: number, mostKeys: number): TokenBuckets {
  const buckets = new Map<string, Bucket>();

  function tokensOf(key: string, now: Instant): number {
    const bucket = buckets.get(key);
    if (bucket === undefined) return perMinute;
    // A clock that was set back fills nothing.
    const filled = (Math.max(0, now - bucket.at) * perMinute) / MINUTE_MS;
    return Math.min(perMinute, bucket.tokens + filled);
  }

  function set(key: string, tokens: number, now: Instant): void {
    buckets.delete(key);
    buckets.set(key, { tokens, at: now });
    for (const oldest of buckets.keys()) {
      if (buckets.size <= mostKeys) return;
      buckets.delete(oldest);
    }
  }

  return {
    isEmpty: (key, now) => tokensOf(key, now) < 1,
    take(key, now) {
      const tokens = tokensOf(key, now);
      if (tokens >= 1) set(key, tokens - 1, now);
    },
    giveBack: (key, now) => set(key, Math.min(perMinute, tokensOf(key, now) + 1), now),
  };
}
