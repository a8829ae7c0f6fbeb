import type { Instant, Tier } from '../base/terms.ts';
import type { SessionState } from './session.ts';

/** What is known of a conversation when its next turn begins. */
export type TierFacts = {
  readonly now: Instant;
  /** Null: never expires. */
  readonly ttlMs: number | null;
  readonly record: { readonly state: SessionState; readonly lastUsedAt: Instant } | null;
  /** How the last one ended of which a turn had settled, where nothing of `record` is worth resuming. */
  readonly former: SessionState | null;
  /** The process that served it before, if it is still there. */
  readonly live: {
    readonly healthy: boolean;
    readonly sameFingerprint: boolean;
    /** It was resumed ahead of need and has served no turn yet. */
    readonly ahead: boolean;
  } | null;
  /** Whether the stored transcript reaches the settled entry; `unread` while a live process makes it irrelevant. */
  readonly transcript: 'reaches' | 'missing' | 'unread';
  /** How often in a row the session failed its process: it did not resume, or died in its turn. */
  readonly failures: number;
  /** `SESSION_RESUME`. */
  readonly resume: boolean;
};

/** `ends`: how the record that it had ends, when the turn starts cold. */
export type TierDecision = {
  readonly tier: Tier;
  readonly reason: string;
  readonly ends: 'expired' | 'lost' | 'quarantined' | null;
};

/** A session that failed so often in a row is not resumed again: it would fail for ever. */
export const MOST_FAILURES = 2;

/** From what a turn starts. The first rule that applies decides. */
export function decideTier(facts: TierFacts): TierDecision {
  const { record, live, ttlMs } = facts;
  if (record === null) return cold(whyNoRecord(facts.former), null);
  if (ttlMs !== null && facts.now - record.lastUsedAt > ttlMs)
    return cold('idle for longer than its time to live', 'expired');
  if (live?.healthy && live.sameFingerprint) return reuse(live.ahead);
  if (record.state !== 'active') return cold('no turn of its session has settled yet', 'lost');
  if (facts.failures >= MOST_FAILURES) return cold('its session failed twice', 'quarantined');
  if (!facts.resume) return cold('resuming is switched off', 'lost');
  if (facts.transcript !== 'reaches') return cold('its transcript is gone', 'lost');
  return { tier: 'warm', reason: whyNotHot(live), ends: null };
}

function cold(reason: string, ends: TierDecision['ends']): TierDecision {
  return { tier: 'cold', reason, ends };
}

function whyNoRecord(former: SessionState | null): string {
  return former === 'lost' ? 'its session could not be resumed' : 'first message of this conversation';
}

function reuse(ahead: boolean): TierDecision {
  if (ahead) return { tier: 'warm', reason: 'its process was resumed ahead of need', ends: null };
  return { tier: 'hot', reason: 'its process is still here', ends: null };
}

function whyNotHot(live: TierFacts['live']): string {
  if (live === null) return 'its process is gone, its transcript is here';
  return live.healthy ? 'its bot was changed' : 'its process died';
}
