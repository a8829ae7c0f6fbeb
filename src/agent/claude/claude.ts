import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { newAgentId } from '../../base/ids.ts';
import type { AgentId, ConversationKey, Instant } from '../../base/terms.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import {
  type Agent,
  type AgentRegistry,
  AgentStartFailed,
  type AgentStartRequest,
  type Agents,
  type TranscriptStore,
} from '../agent.ts';
import { makeFamilies } from '../families.ts';
import { systemProcessTable } from '../process-table.ts';
import { makeStartGate } from '../start-gate.ts';
import { makeClaudeAgent } from './claude-agent.ts';
import { type ClaudeProcessDeps, startClaudeProcess } from './claude-process.ts';
import { systemLookUp } from './guard-web-fetch.ts';

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
  /** How long a compaction may take before it counts as failed. */
  readonly compactionLimitMs?: number;
  /** Instead of the SDK's own; for tests. */
  readonly executable?: string;
};

/** The release whose behaviour the tests have seen; it is part of a fingerprint, since another may behave otherwise. */
export const SDK_VERSION = '0.3.329';

const API_RETRIES = 3;
/** A cold start with a cold disk cache takes 1.5 s, the last of ten at once 6.7 s. */
const START_LIMIT_MS = 60_000;
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
  const { clock, registry, metrics } = deps;
  const families = makeFamilies({ table: systemProcessTable(process.platform), clock, self: process.pid });
  const processDeps: ClaudeProcessDeps = {
    ...deps,
    apiRetries: deps.apiRetries ?? API_RETRIES,
    startLimitMs: deps.startLimitMs ?? START_LIMIT_MS,
    executable: deps.executable ?? null,
    lookUp: systemLookUp,
    families,
  };
  const agentDeps = { ...deps, compactionLimitMs: deps.compactionLimitMs ?? COMPACTION_LIMIT_MS };
  const gate = makeStartGate(deps.startsAtOnce);
  const starting = new Map<AgentId, Promise<unknown>>();
  const live = new Map<AgentId, LiveAgent>();
  let memory = {
    at: Number.NEGATIVE_INFINITY,
    mb: new Map<AgentId, number>() as ReadonlyMap<AgentId, number>,
  };
  let stopping = false;

  async function startNow(id: AgentId, request: AgentStartRequest): Promise<Agent> {
    if (stopping) throw new AgentStartFailed('failed', 'the server is stopping');
    const kind = request.transcript.kind === 'new' ? 'new' : 'resumed';
    const { sessionId } = request.transcript;
    const claude = await startClaudeProcess(id, request, processDeps).catch((error: unknown) => {
      metrics.agentStarts.inc({ kind, result: 'failed' });
      throw error;
    });
    metrics.agentStarts.inc({ kind, result: 'started' });
    const agent = makeClaudeAgent(claude, { ...agentDeps, id, start: kind, sessionId, onClosed });
    live.set(id, { agent, conversation: request.conversation, startedAt: clock.now() });
    metrics.agents.set(live.size);
    await registry
      .started({ id, pid: agent.pid, conversation: request.conversation, sessionId })
      .catch(giveUp);
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

  async function sampleMemory(): Promise<ReadonlyMap<AgentId, number>> {
    const now = clock.now();
    if (now - memory.at >= MEMORY_FRESH_MS)
      memory = { at: now, mb: await families.memoryMb([...live.keys()]) };
    return memory.mb;
  }

  return {
    start(request) {
      const id = newAgentId();
      const started = gate
        .run(request.priority, () => startNow(id, request))
        .finally(() => starting.delete(id));
      starting.set(id, started);
      return started;
    },

    // None are kept yet.
    keepSpares() {},

    async census() {
      const memoryMb = await sampleMemory();
      return [...live].map(([id, { agent, conversation, startedAt }]) => {
        return { id, pid: agent.pid, conversation, startedAt, rssMb: memoryMb.get(id) ?? null };
      });
    },

    async reap() {
      const ours = new Set([...live.keys(), ...starting.keys()]);
      const left = await families.owned(deps.ownerId, ours);
      let processes = 0;
      for (const id of left) processes += await families.end(id);
      await mkdir(deps.homes, { recursive: true, mode: 0o700 });
      const homes = (await readdir(deps.homes)) as AgentId[]; // Every home is named after its agent.
      for (const id of homes) {
        if (live.has(id) || starting.has(id)) continue;
        await rm(join(deps.homes, id), { recursive: true, force: true });
      }
      for (const id of new Set([...left, ...homes])) if (!ours.has(id)) await registry.ended(id);
      metrics.familiesReaped.inc(left.length);
      return { families: left.length, processes };
    },

    async closeAll() {
      stopping = true;
      await Promise.allSettled(starting.values());
      const closed = await Promise.allSettled([...live.values()].map(({ agent }) => agent.close()));
      const failures = closed.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
      if (failures.length > 0) throw new AggregateError(failures, 'not every agent ended');
    },
  };
}
