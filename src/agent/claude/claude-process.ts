import { mkdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Query, query } from '@anthropic-ai/claude-agent-sdk';
import { type Clock, within } from '../../base/clock.ts';
import { toError } from '../../base/errors.ts';
import type { AgentId } from '../../base/terms.ts';
import { AgentStartFailed, type AgentStartRequest, type TranscriptStore } from '../agent.ts';
import type { Families } from '../families.ts';
import { saysNoTranscript } from './classify-result.ts';
import { toDetail } from './detail.ts';
import { toEnvironment } from './environment.ts';
import { guardWebFetch, type LookUp } from './guard-web-fetch.ts';
import { toOptions } from './options.ts';
import { makePromptQueue, type PromptQueue } from './prompt-queue.ts';
import { spawnProcess, type WatchedProcess } from './spawn-process.ts';
import { makeTranscriptMirror, type TranscriptMirror } from './transcript-mirror.ts';

export type ClaudeProcessDeps = {
  /** Folder of the homes, one for each process. */
  readonly homes: string;
  readonly ownerId: string;
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly apiRetries: number;
  readonly startLimitMs: number;
  /** Instead of the SDK's own; for tests. */
  readonly executable: string | null;
  readonly transcripts: TranscriptStore;
  readonly families: Families;
  readonly lookUp: LookUp;
  readonly clock: Clock;
};

/** A process that has answered, with everything that belongs to it. */
export type ClaudeProcess = {
  readonly pid: number;
  readonly session: Query;
  readonly prompts: PromptQueue;
  readonly mirror: TranscriptMirror;
  readonly watched: WatchedProcess;
  /** Ends the family, then deletes the home. Rejects when somebody outlives KILL. */
  remove(): Promise<void>;
};

/** Starts a process and waits for its first answer. Rejects with `AgentStartFailed`, leaving nothing behind. */
export async function startClaudeProcess(
  id: AgentId,
  request: AgentStartRequest,
  deps: ClaudeProcessDeps,
): Promise<ClaudeProcess> {
  const home = await makeHome(join(deps.homes, id));
  const workspace = await makeFolder(request.workspace);
  const started: { process: WatchedProcess | null } = { process: null };
  const prompts = makePromptQueue();
  const mirror = makeTranscriptMirror({
    transcripts: deps.transcripts,
    conversation: request.conversation,
    home,
    resumeAt: request.transcript.kind === 'resume' ? request.transcript.at : null,
    onFencedOut: () => started.process?.child.kill('SIGKILL'),
  });
  const session = query({
    prompt: prompts.prompts,
    options: {
      ...toOptions(request.spec, request.transcript),
      cwd: workspace,
      env: toEnvironment({
        base: deps.baseEnv,
        spec: request.spec,
        home,
        ownerId: deps.ownerId,
        agentId: id,
        apiRetries: deps.apiRetries,
      }),
      sessionStore: mirror.store,
      hooks: { PreToolUse: [guardWebFetch(deps.lookUp, deps.clock)] },
      ...(deps.executable === null ? {} : { pathToClaudeCodeExecutable: deps.executable }),
      spawnClaudeCodeProcess(options) {
        started.process = spawnProcess(options);
        return started.process.child;
      },
    },
  });

  async function remove(): Promise<void> {
    prompts.end();
    await deps.families.end(id);
    session.close();
    await rm(home, { recursive: true, force: true, maxRetries: 3 });
  }

  const failure = await waitForAnswer(session, deps);
  const watched = started.process;
  const pid = watched?.child.pid;
  if (failure === null && watched !== null && pid !== undefined)
    return { pid, session, prompts, mirror, watched, remove };
  await remove();
  throw toStartFailure(failure ?? new Error('it has no pid'), watched);
}

async function waitForAnswer(session: Query, deps: ClaudeProcessDeps): Promise<Error | null> {
  try {
    const answer = await within(deps.clock, deps.startLimitMs, session.initializationResult());
    return answer === 'timed-out' ? new Error(`no answer within ${deps.startLimitMs} ms`) : null;
  } catch (error) {
    return toError(error);
  }
}

function toStartFailure(failure: Error, watched: WatchedProcess | null): AgentStartFailed {
  const reason = saysNoTranscript(failure.message) ? 'no-transcript' : 'failed';
  const detail = toDetail([failure.message, watched?.lastWords() ?? ''].join('; '));
  return new AgentStartFailed(reason, detail, { cause: failure });
}

/** Paths without links: the process reports entries by path, and the SDK knows them by the path that it was given. */
async function makeHome(path: string): Promise<string> {
  await makeFolder(join(path, 'tmp'));
  return await realpath(path);
}

async function makeFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  return await realpath(path);
}
