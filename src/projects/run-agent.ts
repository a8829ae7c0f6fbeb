import { createHash } from 'node:crypto';
import {
  type Agent,
  type AgentEvent,
  type AgentSpec,
  AgentStartFailed,
  type CollectedAnswer,
  collectAnswer,
  isEndpointFault,
  type TranscriptStart,
  type Usage,
} from '../agent/agent.ts';
import type { EntryId, Instant, SessionId } from '../base/terms.ts';
import { makeAgentFeed } from './agent-feed.ts';
import { reasonOf } from './control.ts';
import type { RunEndFacts, StopReason } from './decide-run-end.ts';
import type { Claim, UpdateTransaction } from './project-store.ts';
import { systemPromptOf } from './prompts.ts';
import { projectKey, type Run, type RunId, type RunUsage } from './terms.ts';
import type { ProjectsDeps, Work } from './work.ts';

export type AgentRunRequest = {
  readonly purpose: Run['purpose'];
  readonly transcript: TranscriptStart;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Written together with the run's row, before its process starts. */
  intend(tx: UpdateTransaction): Promise<void>;
};

/** What was started; whoever asked for it writes the row's end together with what it makes of the run. */
export type AgentRun = {
  readonly id: RunId;
  readonly row: Parameters<UpdateTransaction['runs']['end']>[1];
  readonly answer: Answer | null;
  readonly facts: Pick<RunEndFacts, 'end' | 'interruption' | 'wasHeard' | 'canFallBack'>;
};
type Answer = CollectedAnswer<StopReason>;

/** One process: started once its row is there, asked once, and ended with its whole family. */
export async function runAgent(request: AgentRunRequest, prompt: string, work: Work): Promise<AgentRun> {
  const id = await beginRun(request, work);
  const started = await startAgent(request, work);
  if (!('agent' in started)) return unstarted(id, started, request);
  const { agent, endpoint } = started;
  const { clock, limits } = work.deps;
  const feed = request.purpose === 'edit' ? makeAgentFeed(work) : null;
  const seen = { steps: 0, firstEditAt: null as Instant | null };
  const onEvent = (event: AgentEvent) => {
    feed?.hear(event);
    if (event.kind !== 'tool-started') return;
    seen.steps += 1;
    if (EDITING.has(event.name)) seen.firstEditAt ??= clock.now();
  };
  const { sessionId } = request.transcript;
  const sent = { text: prompt, id: promptIdOf(sessionId, id), fence: work.claim.lease.fence };
  const times = { ...limits, turnTimeoutMs: request.timeoutMs };
  const answer = await collectAnswer<StopReason>(agent, sent, times, {
    clock,
    signal: request.signal,
    onEvent,
  }).finally(() => agent.close());
  work.spentUsd += answer.usage.costUsd;
  const isOurs = answer.interruption === 'none';
  const faulty = isOurs && isEndpointFault(answer.end);
  const canFallBack =
    isOurs && work.deps.endpoints.report(projectKey(work.claim.project.id), endpoint, !faulty) && faulty;
  if (reasonOf(request.signal) !== 'lease-lost') await feed?.close();
  return {
    id,
    answer,
    facts: { end: answer.end, interruption: answer.interruption, wasHeard: answer.wasHeard, canFallBack },
    row: {
      reportedSessionId: answer.sessionId,
      outcome: 'ok',
      detail: 'detail' in answer.end ? answer.end.detail : null,
      usage: toRunUsage(answer.usage, answer.end.kind !== 'died'),
      firstTextAt: answer.firstTextAt,
      ...seen,
    },
  };
}

const EDITING: ReadonlySet<string> = new Set(['Write', 'Edit', 'NotebookEdit']);

/** With the run's row on disk before its process, nobody's process is unknown after a crash. */
export async function beginRun(
  { purpose, transcript, intend }: Pick<AgentRunRequest, 'purpose' | 'transcript' | 'intend'>,
  work: Work,
): Promise<RunId> {
  return work.transact(async (tx) => {
    await intend(tx);
    const mode = transcript.kind === 'new' ? 'fresh' : transcript.kind;
    return tx.runs.begin({ purpose, mode, sessionId: transcript.sessionId });
  });
}

type NotStarted = RunEndFacts['end'] & { readonly detail: string };
type Started = { readonly agent: Agent; readonly endpoint: AgentSpec['endpoint']['name'] };

export async function startAgent(
  { transcript, signal }: Pick<AgentRunRequest, 'transcript' | 'signal'>,
  work: Work,
): Promise<Started | NotStarted> {
  if (signal.aborted) return { kind: 'not-started', detail: 'it was to end before it began' };
  const { deps, claim } = work;
  const spec = specOf(work);
  try {
    const agent = await deps.agents.start({
      conversation: projectKey(claim.project.id),
      spec,
      transcript,
      workspace: deps.repository.workdir(claim.project.id),
      priority: 'turn',
    });
    return { agent, endpoint: spec.endpoint.name };
  } catch (error) {
    if (!(error instanceof AgentStartFailed)) throw error;
    return {
      kind: error.reason === 'no-transcript' ? 'no-transcript' : 'not-started',
      detail: error.message,
    };
  }
}

/** The same for every run of an update: a fork whose tools differed would find nothing of its parent in the cache. */
function specOf({ claim, deps, spentUsd }: Work): AgentSpec {
  const { policy, id } = claim.project;
  const { endpoint, model } = deps.endpoints.choose(projectKey(id));
  return {
    model: model ?? modelOf(claim, deps) ?? undefined,
    systemPrompt: systemPromptOf(policy.instructions),
    builtinTools: policy.tools,
    mcpServers: {},
    maxSteps: policy.max_steps,
    maxBudgetUsd: Math.max(0.01, policy.max_update_cost_usd - spentUsd),
    env: {},
    endpoint,
  };
}

/** Null: the SDK's. What stands in for it on a fallback endpoint is not part of it. */
export function modelOf(
  { project }: Pick<Claim, 'project'>,
  deps: Pick<ProjectsDeps, 'defaultModel'>,
): string | null {
  return project.policy.model ?? deps.defaultModel ?? null;
}

function unstarted(id: RunId, end: NotStarted, { signal }: AgentRunRequest): AgentRun {
  const facts = {
    end,
    interruption: reasonOf(signal) ?? 'none',
    wasHeard: false,
    canFallBack: false,
  } as const;
  return { id, answer: null, facts, row: emptyRow(end.detail) };
}

/** Of a run that reported nothing. */
export function emptyRow(detail: string | null): AgentRun['row'] {
  return {
    reportedSessionId: null,
    outcome: 'interrupted',
    detail,
    usage: NOTHING,
    steps: 0,
    firstTextAt: null,
    firstEditAt: null,
  };
}

const NOTHING: RunUsage = {
  costUsd: 0,
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  runsWithoutCost: 0,
};

/** A process that died has told its tokens and no cost: that is unknown, and not nothing. */
export function toRunUsage(usage: Usage, isCostKnown: boolean): RunUsage {
  const tokens = usage.inputTokens + usage.outputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
  return { ...usage, runsWithoutCost: isCostKnown || tokens === 0 ? 0 : 1 };
}

/** Found again after a crash: whether a session's last answer is one to this run's prompt. */
export function promptIdOf(session: SessionId, run: RunId): EntryId {
  const hex = createHash('sha256').update(`${session}:${run}`).digest('hex');
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return parts.join('-') as EntryId; // The shape of a random UUID.
}
