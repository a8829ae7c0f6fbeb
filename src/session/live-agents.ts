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
  /** Processes that will be live in a moment: room is made for them too. */
  let starting = 0;

  /** Gives up the process; the session stays. */
  async function end(key: ConversationKey, entry: LiveAgent): Promise<void> {
    if (live.get(key) === entry) live.delete(key);
    const gone = Promise.all([going.get(key), entry.agent.close()]).then(() => {});
    going.set(key, gone);
    await gone.finally(() => {
      if (going.get(key) === gone) going.delete(key);
    });
  }

  /** The least recently used idle processes go until those that start fit. A process in a turn is never ended for room. */
  function makeRoom(): void {
    const idle = [...live]
      .filter(([, entry]) => !entry.busy)
      .sort(([, a], [, b]) => a.record.lastUsedAt - b.record.lastUsedAt);
    for (const [key, entry] of idle) {
      if (live.size + starting <= mostLive) return;
      void end(key, entry);
    }
  }

  return {
    get: (key: ConversationKey): LiveAgent | null => live.get(key) ?? null,
    all: (): readonly LiveAgent[] => [...live.values()],
    clear: (): void => live.clear(),
    end,

    /** Keeps a place for the conversation's process while `start` brings it up; null: it did not come. */
    async admit(key: ConversationKey, start: () => Promise<LiveAgent | null>): Promise<LiveAgent | null> {
      starting += 1;
      makeRoom();
      try {
        const entry = await start();
        if (entry !== null) live.set(key, entry);
        return entry;
      } finally {
        starting -= 1;
      }
    },

    /** Resolves when the conversation has no process, not even one that was given up before and is still going. */
    async close(key: ConversationKey): Promise<void> {
      const entry = live.get(key);
      await (entry === undefined ? going.get(key) : end(key, entry));
    },

    async endExpired(now: Instant): Promise<void> {
      const expired = [...live].filter(
        ([, { busy, ttlMs, record }]) => !busy && ttlMs !== null && now - record.lastUsedAt > ttlMs,
      );
      await Promise.all(expired.map(([key, entry]) => end(key, entry)));
    },
  };
}
