import type { Agent, ModelEndpoint } from '../agent/agent.ts';
import type { Clock } from '../base/clock.ts';
import { toError } from '../base/errors.ts';
import type { AgentId, BotId, ConversationKey } from '../base/terms.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Memory } from './memory.ts';
import type { SessionRecord } from './session.ts';

/**
 * A conversation's process in memory:
 *
 *   (none) ──admit──▶ busy ──keep──▶ idle ──open──▶ busy …
 *                      └─ abandon ─▶ (none) ◀─ evict, sweep, close, died ─┘
 */
export type LiveAgent = {
  readonly agent: Agent;
  readonly botId: BotId;
  readonly fingerprint: string;
  readonly endpoint: ModelEndpoint['name'];
  /** Null: never expires. */
  readonly ttlMs: number | null;
  record: SessionRecord;
  busy: boolean;
  /** Turns that this process has served; 0 with `busy` false: resumed ahead of need. */
  turns: number;
  /** What its last compaction left; null before one. */
  leftTokens: number | null;
};

export type LiveAgents = ReturnType<typeof makeLiveAgents>;

/** How often a start that waits for room looks again when nobody gave any up. */
const LOOK_AGAIN_MS = 250;

/** At most one live process for each conversation, within the budget. */
export function makeLiveAgents(deps: {
  readonly memory: Memory;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}) {
  const live = new Map<ConversationKey, LiveAgent>();
  /** Processes given up whose families are not gone yet. */
  const going = new Map<ConversationKey, Promise<void>>();
  /** Bots of processes that will be live in a moment: they need room too. */
  const starting = new Map<ConversationKey, BotId>();
  /** Conversations whose process was given up before it came. */
  const unwanted = new Set<ConversationKey>();
  /** Starts are let in one after the other, in the order in which they came. */
  let lastAdmission: Promise<void> = Promise.resolve();

  /** Gives up the process; the session stays. */
  async function end(key: ConversationKey, entry: LiveAgent): Promise<void> {
    if (live.get(key) === entry) live.delete(key);
    const gone = Promise.all([going.get(key), entry.agent.close()]).then(() => {});
    going.set(key, gone);
    await gone.finally(() => {
      if (going.get(key) === gone) going.delete(key);
    });
  }

  /** The same where nobody waits for it. */
  function endByItself(key: ConversationKey, entry: LiveAgent): void {
    end(key, entry).catch((error: unknown) => {
      const reason = toError(error).message;
      deps.telemetry.log.error({ conversation: key, agent: entry.agent.id, reason }, 'an agent did not end');
    });
  }

  /** Ends whom the limits ask to end; whether all fits then. */
  async function evict(wanted: BotId | null): Promise<boolean> {
    const decision = await deps.memory.decide([...live.values()], [...starting.values()], wanted);
    const reasons = new Map<AgentId, string>(decision.evictions.map(({ id, reason }) => [id, reason]));
    // One that was taken into a turn while memory was measured stays.
    const chosen = [...live].filter(([, { agent, busy }]) => !busy && reasons.has(agent.id));
    for (const [, { agent }] of chosen)
      deps.telemetry.metrics.evictions.inc({ reason: reasons.get(agent.id) ?? 'budget' });
    await Promise.all(chosen.map(([key, entry]) => end(key, entry)));
    return decision.fits && chosen.length === decision.evictions.length;
  }

  /** Waits until there is room for one more process. */
  async function waitForRoom(key: ConversationKey, bot: BotId): Promise<void> {
    const before = lastAdmission;
    const admitted = before.then(async () => {
      while (!(await evict(bot))) await deps.clock.sleep(LOOK_AGAIN_MS);
      starting.set(key, bot);
    });
    // Whoever comes next does not care how this one fared.
    lastAdmission = admitted.catch(() => {});
    await admitted;
  }

  /** A process that has come; null: there is none, or it was given up while it started. */
  async function welcome(key: ConversationKey, entry: LiveAgent | null): Promise<LiveAgent | null> {
    if (entry === null) return null;
    if (!unwanted.has(key)) {
      live.set(key, entry);
      return entry;
    }
    await end(key, entry);
    return null;
  }

  function started(key: ConversationKey): void {
    starting.delete(key);
    unwanted.delete(key);
  }

  return {
    get: (key: ConversationKey): LiveAgent | null => live.get(key) ?? null,
    all: (): readonly LiveAgent[] => [...live.values()],
    clear: (): void => live.clear(),
    end,
    endByItself,

    /** Keeps a place for the conversation's process while `start` brings it up; null: it did not come. */
    async admit(
      key: ConversationKey,
      bot: BotId,
      start: () => Promise<LiveAgent | null>,
    ): Promise<LiveAgent | null> {
      await waitForRoom(key, bot);
      try {
        return await welcome(key, await start());
      } finally {
        started(key);
      }
    },

    /** The same where there is room without ending anybody; null: there is none, or it did not come. */
    async admitAhead(
      key: ConversationKey,
      bot: BotId,
      start: () => Promise<LiveAgent | null>,
    ): Promise<LiveAgent | null> {
      const { fits, evictions } = await deps.memory.decide([...live.values()], [...starting.values()], bot);
      if (!fits || evictions.length > 0) return null;
      starting.set(key, bot);
      try {
        const entry = await welcome(key, await start());
        if (entry !== null) entry.busy = false;
        return entry;
      } finally {
        started(key);
      }
    },

    /**
     * Resolves when the conversation has no process, not even one that was given up before and is still going. One that
     * is starting ends as soon as it has come.
     */
    async close(key: ConversationKey): Promise<void> {
      if (starting.has(key)) unwanted.add(key);
      const entry = live.get(key);
      await (entry === undefined ? going.get(key) : end(key, entry));
    },

    /** Ends what died, has expired, is worn, or is too much. */
    async sweep(): Promise<void> {
      const now = deps.clock.now();
      const over = [...live].filter(
        ([, { agent, busy, ttlMs, record }]) =>
          !busy && (!agent.alive || (ttlMs !== null && now - record.lastUsedAt > ttlMs)),
      );
      await Promise.all(over.map(([key, entry]) => end(key, entry)));
      await evict(null);
    },
  };
}
