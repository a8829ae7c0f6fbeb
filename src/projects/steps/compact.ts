import type { Compaction } from '../../agent/agent.ts';
import { newSessionId } from '../../base/ids.ts';
import type { EntryId } from '../../base/terms.ts';
import { type AgentRun, beginRun, emptyRow, modelOf, startAgent, toRunUsage } from '../run-agent.ts';
import type { ProjectSession, RunId } from '../terms.ts';
import { PROGRESS } from '../terms.ts';
import { beginStep, degrade, type Work } from '../work.ts';
import type { Optional } from './describe.ts';

/** Whether the head's session fills so much of the context that it is worth to be shortened. */
export async function findFull(work: Work): Promise<ProjectSession | null> {
  const { project, update } = work.claim;
  const above = project.policy.compact_above_tokens;
  if (update.options.compact === 'never' || above === null) return null;
  const session = await headSession(work);
  return session !== null && (session.contextTokens ?? 0) >= above ? session : null;
}

export async function headSession({ head, claim, deps }: Work): Promise<ProjectSession | null> {
  return head.session && (await deps.store.records.session(claim.project.id, head.session));
}

type Shorter = {
  readonly entry: EntryId;
  readonly tokens: { readonly before: number; readonly after: number };
};

/** A fork of the head's session is shortened and becomes the head's; when anything goes wrong the head stays. */
export async function compact(work: Work, parent: ProjectSession, signal: AbortSignal): Promise<Optional> {
  const { claim, deps } = work;
  const sessionId = newSessionId();
  const { tree } = parent;
  if (parent.settledEntry === null || tree === null) return 'failed';
  const from = { from: parent.sessionId, at: parent.settledEntry };
  const request = {
    purpose: 'compact' as const,
    transcript: { kind: 'fork' as const, sessionId, ...from },
    signal,
    intend: async (tx: Parameters<Parameters<Work['transact']>[0]>[0]) => {
      await beginStep(work, tx, 'compact', {}, parent.sessionId);
      await tx.sessions.begin({
        sessionId,
        parentId: parent.sessionId,
        origin: 'compact',
        agentVersion: deps.agentVersion,
        model: modelOf(claim, deps),
      });
    },
  };
  const run = await beginRun(request, work);
  const { row, shorter } = await shorten(work, request);
  if (signal.reason === 'lease-lost') return 'preempted';
  deps.telemetry.metrics.projectRuns.inc({ purpose: 'compact', outcome: row.outcome });
  if (shorter === null) return keepHead(work, { run, row, sessionId, signal });
  const { version } = work.head;
  work.head = await work.transact(async (tx) => {
    await tx.runs.end(run, row);
    const contextTokens = shorter.tokens.after;
    await tx.sessions.confirm(sessionId, { settledEntry: shorter.entry, tree, contextTokens });
    await tx.audit.add({ event: 'compacted', sessionId, reason: null });
    const head = await tx.head.move(work.head.revision, { session: sessionId });
    if (version !== null) await tx.versions.describe(version, { finalSession: sessionId });
    await tx.steps.end('compact', 'succeeded', { outputSession: sessionId });
    await tx.events.add('session.compacted', PROGRESS.compact, { ...shorter.tokens });
    return head;
  });
  return 'succeeded';
}

type Shortened = { readonly row: AgentRun['row']; readonly shorter: Shorter | null };

async function shorten(work: Work, request: Parameters<typeof startAgent>[0]): Promise<Shortened> {
  const started = await startAgent(request, work);
  if (!('agent' in started))
    return {
      row: {
        ...emptyRow(started.detail),
        outcome: started.kind === 'not-started' ? 'not-started' : 'no-transcript',
      },
      shorter: null,
    };
  const { agent } = started;
  // A compaction cannot be asked to end: its process is ended instead.
  const giveWay = () => void agent.close().catch(() => {});
  request.signal.addEventListener('abort', giveWay, { once: true });
  try {
    const compaction = await agent.compact(work.claim.lease.fence);
    return judge(compaction, request.signal);
  } finally {
    request.signal.removeEventListener('abort', giveWay);
    await agent.close();
  }
}

/** It counts only when what the session remembers has become smaller, and stands in our store. */
function judge(compaction: Compaction, signal: AbortSignal): Shortened {
  const { kind, lastEntry, tokens } = compaction;
  const isShorter =
    kind === 'compacted' && lastEntry !== null && tokens !== null && tokens.after < tokens.before;
  const outcome = isShorter ? 'ok' : signal.aborted ? 'cancelled' : 'unusable';
  const row = {
    ...emptyRow(isShorter ? null : 'nothing was shortened'),
    reportedSessionId: compaction.sessionId,
    outcome,
    usage: toRunUsage(compaction.usage, kind === 'compacted'),
  } as const;
  return { row, shorter: isShorter ? { entry: lastEntry, tokens } : null };
}

async function keepHead(
  work: Work,
  failed: {
    readonly run: RunId;
    readonly row: AgentRun['row'];
    readonly sessionId: ProjectSession['sessionId'];
    readonly signal: AbortSignal;
  },
): Promise<Optional> {
  const gaveWay = failed.signal.aborted;
  await work.transact(async (tx) => {
    await tx.runs.end(failed.run, failed.row);
    await tx.sessions.end(failed.sessionId, 'deleted', 'it was not shortened');
    await tx.steps.end('compact', gaveWay ? 'interrupted' : 'failed', {});
    if (!gaveWay) await degrade(tx, 'compaction_failed', 'compact');
  });
  return gaveWay ? 'preempted' : 'failed';
}
