import {
  type Agent,
  AgentStartFailed,
  type AgentStartRequest,
  type TranscriptStart,
} from '../agent/agent.ts';
import { newSessionId } from '../base/ids.ts';
import type { Instant, SessionId, Start } from '../base/terms.ts';
import type { LiveAgent, LiveAgents } from './live-agents.ts';
import { planTurn } from './plan-turn.ts';
import type { OpenSession, SessionDeps, SessionPlan, SessionRecord, SettledTurn } from './session.ts';

/** The plan's process: the live one, or one that is started after its record is on disk. */
export async function openSession(
  plan: SessionPlan,
  deps: SessionDeps,
  liveAgents: LiveAgents,
): Promise<OpenSession> {
  const key = plan.lease.conversation;
  const current = liveAgents.get(key);
  if (plan.tier === 'hot') {
    if (current?.agent.alive) return lend(plan, current, 'reused', deps, liveAgents);
    return openSession(await planTurn(plan.lease, plan.bot, deps, liveAgents), deps, liveAgents);
  }

  await liveAgents.close(key);
  const started = await liveAgents.admit(key, () => startPlanned(plan, deps));
  if (started === null) {
    await loseSession(plan, deps, liveAgents);
    return openSession(await planTurn(plan.lease, plan.bot, deps, liveAgents), deps, liveAgents);
  }
  return lend(plan, started, started.agent.start, deps, liveAgents);
}

/** Null: there was nothing to resume. */
async function startPlanned(plan: SessionPlan, deps: SessionDeps): Promise<LiveAgent | null> {
  const key = plan.lease.conversation;
  const { record, transcript } = plan.tier === 'warm' ? resumed(plan) : await begun(plan, deps);
  const startedAt = deps.clock.now();
  const agent = await startOrNull(
    {
      conversation: key,
      spec: plan.spec,
      transcript,
      workspace: deps.workspaceOf(key),
      fence: plan.lease.fence,
    },
    deps,
  );
  if (agent === null) return null;
  const seconds = (deps.clock.now() - startedAt) / 1000;
  deps.telemetry.metrics.openSeconds.observe({ tier: plan.tier, start: agent.start }, seconds);
  const ttlMs = deps.ttlOf(plan.bot, key);
  return { agent, fingerprint: plan.fingerprint, ttlMs, record, busy: true };
}

/** The stored session cannot be resumed: its record ends, so that the next plan is cold. */
export async function loseSession(
  plan: SessionPlan,
  deps: SessionDeps,
  liveAgents: LiveAgents,
): Promise<void> {
  await liveAgents.close(plan.lease.conversation);
  if (plan.record !== null) await deps.records.end(plan.lease, plan.record.sessionId, 'lost');
}

function lend(
  plan: SessionPlan,
  entry: LiveAgent,
  start: Start,
  deps: SessionDeps,
  liveAgents: LiveAgents,
): OpenSession {
  const key = plan.lease.conversation;
  const { agent, record } = entry;
  entry.busy = true;
  return {
    agent,
    sessionId: record.sessionId,
    tier: plan.tier,
    start,
    reason: plan.reason,
    keep(settled) {
      entry.record = afterSettle(entry.record, settled);
      entry.busy = false;
      if (deps.limits.stateless || liveAgents.get(key) !== entry) void liveAgents.end(key, entry);
    },
    abandon: () => liveAgents.end(key, entry),
  };
}

/** Null: there was nothing to resume, so that the turn starts cold; that can be so only once. */
async function startOrNull(request: AgentStartRequest, deps: SessionDeps): Promise<Agent | null> {
  try {
    return await deps.agents.start(request);
  } catch (error) {
    const nothingToResume = error instanceof AgentStartFailed && error.reason === 'no-transcript';
    if (!nothingToResume || request.transcript.kind !== 'resume') throw error;
    return null;
  }
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
async function begun(plan: SessionPlan, deps: SessionDeps): Promise<Beginning> {
  const sessionId = newSessionId();
  const record = newRecord(plan, sessionId, deps.clock.now());
  await deps.records.begin(plan.lease, record, plan.ends);
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
