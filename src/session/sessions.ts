import type { Agent, Agents, ModelEndpoint, TranscriptStart, TranscriptStore } from '../agent/agent.ts';
import type { Clock } from '../base/clock.ts';
import { newSessionId } from '../base/ids.ts';
import type { ConversationKey, Lease, SessionId, Start } from '../base/terms.ts';
import type { Bot } from '../bots/bots.ts';
import type { Leases } from '../cluster/cluster.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { decideTier } from './decide-tier.ts';
import { readTail, type Tail } from './read-tail.ts';
import type {
  OpenSession,
  SessionPlan,
  SessionRecord,
  SessionRecords,
  Sessions,
  SettledTurn,
} from './session.ts';
import { fingerprintOf, toAgentSpec } from './spec.ts';

export type SessionDeps = {
  readonly records: SessionRecords;
  readonly transcripts: TranscriptStore;
  readonly agents: Agents;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly endpoint: ModelEndpoint;
  readonly sdkVersion: string;
  /** Working directory of a conversation. */
  workspaceOf(conversation: ConversationKey): string;
  /** Deletes the conversation's working directory. */
  deleteWorkspace(conversation: ConversationKey): Promise<void>;
  /** The bot's time to live in this conversation's room; null: never. */
  ttlOf(bot: Bot, conversation: ConversationKey): number | null;
  readonly limits: { readonly mostLive: number; readonly resume: boolean; readonly stateless: boolean };
};

/**
 * A conversation's process in memory:
 *
 *   (none) ──open──▶ busy ──keep──▶ idle ──open──▶ busy …
 *                     └─ abandon ─▶ (none) ◀─ evict, sweep, close, died ─┘
 */
type Live = {
  readonly agent: Agent;
  readonly fingerprint: string;
  readonly ttlMs: number | null;
  record: SessionRecord;
  busy: boolean;
};

/** Keeps one live process per conversation. What to do is decided in `decideTier`; this only does it. */
export function makeSessions(deps: SessionDeps): Sessions {
  const { clock, records } = deps;
  const live = new Map<ConversationKey, Live>();

  async function planTurn(lease: Lease, bot: Bot): Promise<SessionPlan> {
    const current = live.get(lease.conversation) ?? null;
    const record = current?.record ?? (await records.current(lease.conversation));
    const spec = toAgentSpec(bot, deps.endpoint);
    const fingerprint = fingerprintOf(spec, deps.sdkVersion);
    const liveFacts = current && {
      healthy: current.agent.alive,
      sameFingerprint: current.fingerprint === fingerprint,
    };
    const reusable = liveFacts?.healthy && liveFacts.sameFingerprint;
    const stored =
      record === null || reusable
        ? null
        : await deps.transcripts.after(record.sessionId, record.settledEntry);
    const decision = decideTier({
      now: clock.now(),
      ttlMs: deps.ttlOf(bot, lease.conversation),
      record,
      live: liveFacts,
      transcript: reusable ? 'unread' : stored === null ? 'missing' : 'reaches',
      resume: deps.limits.resume,
    });
    const tail: Tail = stored === null ? { kind: 'empty' } : readTail(stored);
    return { lease, bot, ...decision, record, tail, spec, fingerprint };
  }

  async function open(plan: SessionPlan): Promise<OpenSession> {
    const key = plan.lease.conversation;
    const current = live.get(key);
    if (plan.tier === 'hot' && current?.agent.alive) return lend(plan, current, 'reused');
    if (plan.tier === 'hot') return open(await planTurn(plan.lease, plan.bot));

    await close(key);
    makeRoom();
    const { record, transcript } = plan.tier === 'warm' ? resumed(plan) : await begun(plan);
    const started = clock.now();
    const agent = await deps.agents.start({
      conversation: key,
      spec: plan.spec,
      transcript,
      workspace: deps.workspaceOf(key),
      fence: plan.lease.fence,
      baseline: record.cumulative,
    });
    deps.telemetry.metrics.openSeconds.observe(
      { tier: plan.tier, start: agent.start },
      (clock.now() - started) / 1000,
    );
    const ttlMs = deps.ttlOf(plan.bot, key);
    const entry: Live = { agent, fingerprint: plan.fingerprint, ttlMs, record, busy: true };
    live.set(key, entry);
    return lend(plan, entry, agent.start);
  }

  function lend(plan: SessionPlan, entry: Live, start: Start): OpenSession {
    const key = plan.lease.conversation;
    entry.busy = true;
    return {
      agent: entry.agent,
      sessionId: entry.record.sessionId,
      tier: plan.tier,
      start,
      reason: plan.reason,
      keep(settled) {
        entry.record = afterSettle(entry.record, settled);
        entry.busy = false;
        if (deps.limits.stateless || live.get(key) !== entry) void end(key, entry);
      },
      abandon: () => end(key, entry),
    };
  }

  /** The record is on disk before its process starts: no process ever runs whose id nobody knows. */
  async function begun(plan: SessionPlan): Promise<{ record: SessionRecord; transcript: TranscriptStart }> {
    const sessionId = newSessionId();
    const record = newRecord(plan, sessionId, clock.now());
    await records.begin(plan.lease, record, plan.ends);
    return { record, transcript: { kind: 'new', sessionId } };
  }

  /** The least recently used idle processes go until one more fits. A process in a turn is never ended for room. */
  function makeRoom(): void {
    const idle = [...live]
      .filter(([, entry]) => !entry.busy)
      .sort(([, a], [, b]) => a.record.lastUsedAt - b.record.lastUsedAt);
    for (const [key, entry] of idle) {
      if (live.size < deps.limits.mostLive) return;
      void end(key, entry);
    }
  }

  async function end(key: ConversationKey, entry: Live): Promise<void> {
    if (live.get(key) === entry) live.delete(key);
    await entry.agent.close();
  }

  async function close(key: ConversationKey): Promise<void> {
    const entry = live.get(key);
    if (entry !== undefined) await end(key, entry);
  }

  return {
    plan: planTurn,
    open,

    async lose(plan) {
      await close(plan.lease.conversation);
      if (plan.record !== null) await records.end(plan.lease, plan.record.sessionId, 'lost');
    },

    async forget(conversation) {
      const lease = await deps.leases.seize(conversation);
      await close(conversation);
      await records.forget(lease);
      await deps.deleteWorkspace(conversation);
      await deps.leases.release(lease);
    },

    async sweep() {
      const now = clock.now();
      const expired = [...live].filter(
        ([, e]) => !e.busy && e.ttlMs !== null && now - e.record.lastUsedAt > e.ttlMs,
      );
      await Promise.all(expired.map(([key, entry]) => end(key, entry)));
    },

    live: () =>
      [...live.values()].map((entry) => ({
        record: entry.record,
        agentId: entry.agent.id,
        busy: entry.busy,
      })),

    async closeAll() {
      live.clear();
      await deps.agents.closeAll();
    },
  };
}

function resumed(plan: SessionPlan): { record: SessionRecord; transcript: TranscriptStart } {
  const { record } = plan;
  if (record === null || record.settledEntry === null)
    throw new Error('a warm plan has a record with a settled entry');
  return { record, transcript: { kind: 'resume', sessionId: record.sessionId, at: record.settledEntry } };
}

const NOTHING_USED = { costUsd: 0, inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 };

function newRecord(plan: SessionPlan, sessionId: SessionId, now: number): SessionRecord {
  return {
    sessionId,
    conversation: plan.lease.conversation,
    state: 'provisional',
    settledEntry: null,
    fingerprint: plan.fingerprint,
    createdAt: now,
    lastUsedAt: now,
    turnCount: 0,
    costUsd: 0,
    cumulative: NOTHING_USED,
    lastTier: 'cold',
    lastStart: 'new',
  };
}

function afterSettle(record: SessionRecord, settled: SettledTurn): SessionRecord {
  return {
    ...record,
    sessionId: settled.sessionId,
    state: 'active',
    settledEntry: settled.settledEntry,
    lastUsedAt: settled.at,
    turnCount: record.turnCount + 1,
    costUsd: settled.cumulative.costUsd,
    cumulative: settled.cumulative,
    lastTier: settled.tier,
    lastStart: settled.start,
  };
}
