import type { Clock } from '../../base/clock.ts';
import { toError } from '../../base/errors.ts';
import { newAgentId, newSessionId } from '../../base/ids.ts';
import type { AgentId, ConversationKey, Instant } from '../../base/terms.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import {
  type Agent,
  type AgentRegistry,
  type AgentSpec,
  AgentStartFailed,
  type AgentStartRequest,
  type Agents,
  type TranscriptStore,
} from '../agent.ts';
import { type Families, makeFamilies } from '../families.ts';
import { systemProcessTable } from '../process-table.ts';
import { makeSpares } from '../spares.ts';
import { makeStartGate } from '../start-gate.ts';
import { makeClaudeAgent } from './claude-agent.ts';
import { type ClaudeProcess, startClaudeProcess } from './claude-process.ts';
import { type ClaudeSpare, startClaudeSpare } from './claude-spare.ts';
import { toDetail } from './detail.ts';
import { systemLookUp } from './guard-web-fetch.ts';
import type { LaunchDeps } from './launch.ts';
import { reap } from './reap.ts';
import type { Shell } from './sandbox.ts';

export type ClaudeAgentsDeps = {
  /** Folder of the agents' homes, `DATA_DIR/agents`; nothing else may be kept in it. */
  readonly homes: string;
  /** Id of the data folder: what an agent's family is known by after the server that started it is gone. */
  readonly ownerId: string;
  readonly transcripts: TranscriptStore;
  readonly registry: AgentRegistry;
  readonly clock: Clock;
  readonly log: Telemetry['log'];
  readonly metrics: Telemetry['metrics'];
  /** The allowed part of the server's environment: PATH, LANG, TZ, proxy and CA variables. */
  readonly baseEnv: Readonly<Record<string, string>>;
  /** Processes that start at once. */
  readonly startsAtOnce: number;
  /** How often a process asks an endpoint again before it gives up a turn. */
  readonly apiRetries?: number;
  /** How long a process may take to answer for the first time. */
  readonly startLimitMs?: number;
  /** How long a spare may take to answer a claim before the start goes on without it. */
  readonly claimLimitMs?: number;
  /** How long a compaction may take before it counts as failed. */
  readonly compactionLimitMs?: number;
  /** Instead of the SDK's own; for tests. */
  readonly executable?: string;
  /** Given: agents whose spec lists Bash have it. Whoever gives it knows that this host has a sandbox. */
  readonly shell?: Shell;
};

/** The release whose behaviour the tests have seen; it is part of a fingerprint, since another may behave otherwise. */
export const SDK_VERSION = '0.3.329';

const API_RETRIES = 3;
/** A cold start with a cold disk cache takes 1.5 s, the last of ten at once 6.7 s. */
const START_LIMIT_MS = 60_000;
/** A claim is answered in some sixty milliseconds; a plain start on a busy machine takes about as long as this. */
const CLAIM_LIMIT_MS = 5_000;
/** A model that writes the summary of a full context takes a minute or two. */
const COMPACTION_LIMIT_MS = 180_000;
const MEMORY_FRESH_MS = 5_000;

type LiveAgent = {
  readonly agent: Agent;
  readonly conversation: ConversationKey;
  readonly startedAt: Instant;
};

/** Agents that are Claude processes, run by the Agent SDK. */
export function makeClaudeAgents(deps: ClaudeAgentsDeps): Agents {
  const { clock, registry, metrics, log } = deps;
  const families = makeFamilies({ table: systemProcessTable(process.platform), clock, self: process.pid });
  const launchDeps: LaunchDeps = {
    ...deps,
    apiRetries: deps.apiRetries ?? API_RETRIES,
    startLimitMs: deps.startLimitMs ?? START_LIMIT_MS,
    claimLimitMs: deps.claimLimitMs ?? CLAIM_LIMIT_MS,
    executable: { path: deps.executable ?? null },
    shell: deps.shell ?? null,
    lookUp: systemLookUp,
    families,
  };
  const agentDeps = { ...deps, compactionLimitMs: deps.compactionLimitMs ?? COMPACTION_LIMIT_MS };
  const gate = makeStartGate(deps.startsAtOnce);
  const starting = new Map<AgentId, Promise<unknown>>();
  const live = new Map<AgentId, LiveAgent>();
  const spares = makeSpares<ClaudeSpare>({ start: startSpare, clock, log });
  const memoryMb = makeMemorySample(families, clock);
  let stopping = false;

  const isOurs = (id: AgentId) => live.has(id) || starting.has(id) || spares.ids().includes(id);

  function startSpare(id: AgentId, spec: AgentSpec, isWanted: () => boolean): Promise<ClaudeSpare> {
    return gate.run('spare', async () => {
      if (stopping || !isWanted()) throw new AgentStartFailed('no-process', 'nobody wants it any more');
      return await startClaudeSpare(id, spec, launchDeps);
    });
  }

  /** Makes the conversation's agent of a process that has answered. */
  async function adopt(
    id: AgentId,
    start: Agent['start'],
    claude: ClaudeProcess,
    { conversation, spec, transcript: { sessionId } }: AgentStartRequest,
  ): Promise<Agent> {
    const facts = { id, start, sessionId, budgetUsd: spec.maxBudgetUsd };
    metrics.agentStarts.inc({ kind: start, result: 'started' });
    const agent = makeClaudeAgent(claude, { ...agentDeps, ...facts, onClosed });
    live.set(id, { agent, conversation, startedAt: clock.now() });
    metrics.agents.set(live.size);
    await registry.started({ id, pid: agent.pid, conversation, sessionId }).catch(giveUp);
    return agent;

    async function onClosed(): Promise<void> {
      live.delete(id);
      metrics.agents.set(live.size);
      await registry.ended(id);
    }
    async function giveUp(error: unknown): Promise<never> {
      await agent.close();
      throw error;
    }
  }

  function track(id: AgentId, started: Promise<Agent>): Promise<Agent> {
    const tracked = started.finally(() => starting.delete(id));
    starting.set(id, tracked);
    return tracked;
  }

  function startPlainly(request: AgentStartRequest): Promise<Agent> {
    const id = newAgentId();
    const kind = request.transcript.kind === 'new' ? 'new' : 'resumed';
    async function startNow(): Promise<Agent> {
      if (stopping) throw new AgentStartFailed('no-process', 'the server is stopping');
      const claude = await startClaudeProcess(id, request, launchDeps).catch((error: unknown) => {
        metrics.agentStarts.inc({ kind, result: 'failed' });
        throw error;
      });
      return adopt(id, kind, claude, request);
    }
    return track(id, gate.run(request.priority, startNow));
  }

  /** No process is started, so nobody is asked for admission; a claim that is refused becomes a plain start. */
  async function claim(spare: ClaudeSpare, request: AgentStartRequest): Promise<Agent> {
    const claimed = await spare.claim(request).catch(toError);
    if (!(claimed instanceof Error)) return adopt(spare.id, 'spare', claimed, request);
    metrics.agentStarts.inc({ kind: 'spare', result: 'failed' });
    log.warn({ agent: spare.id, reason: toDetail(claimed.message) }, 'a spare was not claimed');
    spares.refused(request.spec);
    return startPlainly(request);
  }

  return {
    start(request) {
      const { kind, sessionId } = request.transcript;
      const spare = kind === 'new' ? spares.take(sessionId, request.spec) : null;
      return spare === null ? startPlainly(request) : track(spare.id, claim(spare, request));
    },
    nextSessionId: (spec) => spares.promise(spec) ?? newSessionId(),
    keepSpares(specs) {
      if (!stopping) spares.keep(specs);
    },

    async census() {
      const parked = spares.parked().map(({ spare, since }) => ({ ...spare, conversation: null, since }));
      const agents = [...live.values()].map(({ agent: { id, pid }, conversation, startedAt }) => {
        return { id, pid, conversation, since: startedAt };
      });
      const all = [...agents, ...parked];
      const measured = await memoryMb(all.map(({ id }) => id));
      return all.map(({ id, pid, conversation, since }) => {
        return { id, pid, conversation, startedAt: since, rssMb: measured.get(id) ?? null };
      });
    },

    async reap() {
      const reaped = await reap({ ...deps, families, isOurs });
      metrics.familiesReaped.inc(reaped.families);
      return reaped;
    },

    async closeAll() {
      stopping = true;
      const sparesClosed = spares.closeAll();
      await Promise.allSettled(starting.values());
      const closed = [sparesClosed, ...[...live.values()].map(({ agent }) => agent.close())];
      const ends = await Promise.allSettled(closed);
      const failures = ends.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
      if (failures.length > 0) throw new AggregateError(failures, 'not every agent ended');
    },
  };
}

/** Measures the families at most every five seconds. */
function makeMemorySample(families: Families, clock: Clock) {
  let sampledAt = Number.NEGATIVE_INFINITY;
  let sample: Promise<ReadonlyMap<AgentId, number>> = Promise.resolve(new Map());
  return (ids: readonly AgentId[]): Promise<ReadonlyMap<AgentId, number>> => {
    const now = clock.now();
    if (now - sampledAt < MEMORY_FRESH_MS) return sample;
    sampledAt = now;
    sample = families.memoryMb(ids);
    return sample;
  };
}
