import { AgentStartFailed, type AgentStartRequest, type TranscriptStart } from '../agent/agent.ts';
import type { Instant, SessionId, Start } from '../base/terms.ts';
import { MOST_FAILURES } from './decide-tier.ts';
import type { SessionEngine } from './engine.ts';
import { keepSpares } from './keep-spares.ts';
import type { LiveAgent } from './live-agents.ts';
import { planTurn } from './plan-turn.ts';
import type { OpenSession, SessionPlan, SessionRecord, SettledTurn } from './session.ts';

/** The plan's process: the live one, or one that is started after its record is on disk. */
export async function openSession(plan: SessionPlan, engine: SessionEngine): Promise<OpenSession> {
  const key = plan.lease.conversation;
  const current = engine.live.get(key);
  const reusable = current?.agent.alive === true && current.fingerprint === plan.fingerprint;
  if (reusable && plan.tier !== 'cold') {
    return lend(plan, current, current.turns === 0 ? 'rewarmed' : 'reused', engine);
  }
  // It died since the plan was made.
  if (plan.tier === 'hot') return openSession(await planTurn(plan.lease, plan.bot, engine), engine);

  await engine.live.close(key);
  const started = await engine.live.admit(key, plan.bot.id, () => startPlanned(plan, 'turn', engine));
  if (started !== null) return lend(plan, started, started.agent.start, engine);
  return openSession(await planTurn(plan.lease, plan.bot, engine), engine);
}

/**
 * Starts the process of a warm or cold plan. Null: the session could not be resumed; its record ends, or it has one
 * failure more, so that the next plan is another one.
 */
export async function startPlanned(
  plan: SessionPlan,
  priority: AgentStartRequest['priority'],
  engine: SessionEngine,
): Promise<LiveAgent | null> {
  const key = plan.lease.conversation;
  const { record, transcript } = plan.tier === 'warm' ? resumed(plan) : await begun(plan, engine);
  const workspace = engine.workspaceOf(key);
  const { spec, fingerprint, bot } = plan;
  const request = { conversation: key, spec, transcript, workspace, priority };
  const startedAt = engine.clock.now();
  try {
    const agent = await engine.agents.start(request);
    const seconds = (engine.clock.now() - startedAt) / 1000;
    engine.telemetry.metrics.openSeconds.observe({ tier: plan.tier, start: agent.start }, seconds);
    const ttlMs = engine.ttlOf(bot, key);
    const endpoint = spec.endpoint.name;
    return {
      agent,
      botId: bot.id,
      fingerprint,
      endpoint,
      ttlMs,
      record,
      busy: true,
      turns: 0,
      leftTokens: null,
    };
  } catch (error) {
    if (!(error instanceof AgentStartFailed) || !mayBlame(plan, error)) throw error;
    return noteFailure(plan, error, engine);
  }
}

/** Where no process comes at all, every conversation would be given up one after the other. */
function mayBlame({ tier }: SessionPlan, { reason }: AgentStartFailed): boolean {
  return tier === 'warm' && reason !== 'no-process';
}

/** A resume that failed: at once when there is nothing to resume, else at its second failure, the session ends. */
async function noteFailure(plan: SessionPlan, error: AgentStartFailed, engine: SessionEngine): Promise<null> {
  const key = plan.lease.conversation;
  if (error.reason === 'no-transcript') {
    await loseSession(plan, engine);
    return null;
  }
  engine.failures.failed(key);
  const isLast = engine.failures.of(key) >= MOST_FAILURES;
  engine.telemetry.log.warn(
    { conversation: key, error: error.message, quarantined: isLast },
    'a session did not resume',
  );
  return null;
}

/** The stored session cannot be resumed: its record ends, so that the next plan is cold. */
export async function loseSession(plan: SessionPlan, engine: SessionEngine): Promise<void> {
  await engine.live.close(plan.lease.conversation);
  if (plan.record !== null) await engine.records.end(plan.lease, plan.record.sessionId, 'lost');
}

function lend(plan: SessionPlan, entry: LiveAgent, start: Start, engine: SessionEngine): OpenSession {
  const key = plan.lease.conversation;
  const { agent, record } = entry;
  entry.busy = true;
  return {
    agent,
    plan,
    sessionId: record.sessionId,
    tier: plan.tier,
    start,
    reason: plan.reason,
    keep(settled) {
      entry.record = afterSettle(entry.record, settled);
      entry.turns += 1;
      entry.busy = false;
      engine.failures.clear(key);
      if (engine.limits.stateless || engine.live.get(key) !== entry) engine.live.endByItself(key, entry);
    },
    async abandon(why) {
      if (why === 'session-failed') engine.failures.failed(key);
      await engine.live.end(key, entry);
    },
    endpointAnswered: () => void engine.endpoints.report(key, entry.endpoint, true),
    endpointFailed: () => engine.endpoints.report(key, entry.endpoint, false),
  };
}

type Beginning = { readonly record: SessionRecord; readonly transcript: TranscriptStart };

function resumed({ record }: SessionPlan): Beginning {
  if (record === null || record.settledEntry === null) {
    throw new Error('a warm plan has a record with a settled entry');
  }
  const transcript = { kind: 'resume', sessionId: record.sessionId, at: record.settledEntry } as const;
  return { record, transcript };
}

/** The record is on disk before its process starts: no process ever runs whose id nobody knows. */
async function begun(plan: SessionPlan, engine: SessionEngine): Promise<Beginning> {
  const sessionId = engine.agents.nextSessionId(plan.spec);
  const record = newRecord(plan, sessionId, engine.clock.now());
  await engine.records.begin(plan.lease, record, plan.ends);
  engine.failures.clear(plan.lease.conversation);
  engine.coldStarts.started(plan.bot.id);
  keepSpares(engine);
  return { record, transcript: { kind: 'new', sessionId } };
}

function newRecord(plan: SessionPlan, sessionId: SessionId, now: Instant): SessionRecord {
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
    lastTier: 'cold',
    lastStart: 'new',
    memoryAtRiskAt: null,
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
    costUsd: record.costUsd + settled.costUsd,
    lastTier: settled.tier,
    lastStart: settled.start,
  };
}
