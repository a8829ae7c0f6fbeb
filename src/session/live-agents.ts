import type { Agent } from '../agent/agent.ts';
import type { ConversationKey, Instant } from '../base/terms.ts';
import type { SessionRecord } from './session.ts';

/**
 * A conversation's process in memory:
 *
 *   (none) ──open──▶ busy ──keep──▶ idle ──open──▶ busy …
 *                     └─ abandon ─▶ (none) ◀─ evict, sweep, close, died ─┘
 */
export type LiveAgent = {
  readonly agent: Agent;
  readonly fingerprint: string;
  /** Null: never expires. */
  readonly ttlMs: number | null;
  record: SessionRecord;
  busy: boolean;
};

export type LiveAgents = ReturnType<typeof makeLiveAgents>;

/** At most one live process for each conversation, at most `mostLive` in all. */
export function makeLiveAgents(mostLive: number) {
  const live = new Map<ConversationKey, LiveAgent>();
  /** Processes given up whose families are not gone yet. */
  const going = new Map<ConversationKey, Promise<void>>();

  /** Gives up the process; the session stays. */
  async function end(key: ConversationKey, entry: LiveAgent): Promise<void> {
    if (live.get(key) === entry) live.delete(key);
    const gone = Promise.all([going.get(key), entry.agent.close()]).then(() => {});
    going.set(key, gone);
    await gone.finally(() => {
      if (going.get(key) === gone) going.delete(key);
    });
  }

  return {
    get: (key: ConversationKey): LiveAgent | null => live.get(key) ?? null,
    put: (key: ConversationKey, entry: LiveAgent): void => void live.set(key, entry),
    all: (): readonly LiveAgent[] => [...live.values()],
    clear: (): void => live.clear(),
    end,

    /** Resolves when the conversation has no process, not even one that was given up before and is still going. */
    async close(key: ConversationKey): Promise<void> {
      const entry = live.get(key);
      await (entry === undefined ? going.get(key) : end(key, entry));
    },

    /** The least recently used idle processes go until one more fits. A process in a turn is never ended for room. */
    makeRoom(): void {
      const idle = [...live]
        .filter(([, entry]) => !entry.busy)
        .sort(([, a], [, b]) => a.record.lastUsedAt - b.record.lastUsedAt);
      for (const [key, entry] of idle) {
        if (live.size < mostLive) return;
        void end(key, entry);
      }
    },

    async endExpired(now: Instant): Promise<void> {
      const expired = [...live].filter(
        ([, { busy, ttlMs, record }]) => !busy && ttlMs !== null && now - record.lastUsedAt > ttlMs,
      );
      await Promise.all(expired.map(([key, entry]) => end(key, entry)));
    },
  };
}
