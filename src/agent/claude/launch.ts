import type { Options } from '@anthropic-ai/claude-agent-sdk';
import type { Clock } from '../../base/clock.ts';
import type { AgentId } from '../../base/terms.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import { type AgentSpec, AgentStartFailed, type TranscriptStart, type TranscriptStore } from '../agent.ts';
import type { Families } from '../families.ts';
import { saysNoTranscript } from './classify-result.ts';
import { toDetail } from './detail.ts';
import { toEnvironment } from './environment.ts';
import { makeAgentFolders, removeAgentFolders } from './folders.ts';
import { guardWebFetch, type LookUp } from './guard-web-fetch.ts';
import { toOptions } from './options.ts';
import { makePromptQueue, type PromptQueue } from './prompt-queue.ts';
import { type Shell, toSandbox } from './sandbox.ts';
import { spawnProcess, type WatchedProcess } from './spawn-process.ts';
import { makeTranscriptMirror, type TranscriptMirror } from './transcript-mirror.ts';

export type LaunchDeps = {
  /** Folder of the homes, one for each process. */
  readonly homes: string;
  readonly ownerId: string;
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly apiRetries: number;
  readonly startLimitMs: number;
  readonly claimLimitMs: number;
  readonly executable: Executable;
  /** Null: no agent is given Bash. */
  readonly shell: Shell | null;
  readonly transcripts: TranscriptStore;
  readonly families: Families;
  readonly lookUp: LookUp;
  readonly clock: Clock;
  readonly log: Telemetry['log'];
};

/**
 * What is run. Null until the SDK has found its own, for which it has Node write a whole diagnostic report of the
 * server, milliseconds in which nothing else is done: what it found is given to it from then on.
 */
export type Executable = { path: string | null };

/** All that a process gets from us, before the SDK starts it. */
export type Launch = {
  readonly options: Options;
  readonly prompts: PromptQueue;
  readonly mirror: TranscriptMirror;
  /** Null until the SDK has started it. */
  readonly process: () => WatchedProcess | null;
  /** Ends the family, lets the SDK close its end, deletes the home. Rejects when somebody outlives KILL. */
  remove(closeSession: () => void): Promise<void>;
};

/** Makes the home of a process, and its options but for the working directory. */
export async function prepareLaunch(
  id: AgentId,
  spec: AgentSpec,
  transcript: TranscriptStart,
  deps: LaunchDeps,
): Promise<Launch> {
  const shell = spec.builtinTools.includes('Bash') ? deps.shell : null;
  const { home, temporary } = await makeAgentFolders(deps.homes, id, shell !== null);
  let started: WatchedProcess | null = null;
  const prompts = makePromptQueue();
  const mirror = makeTranscriptMirror({
    transcripts: deps.transcripts,
    home,
    resumeAt: transcript.kind === 'new' ? null : transcript.at,
    onFencedOut: () => started?.child.kill('SIGKILL'),
    onWriteFailed: (reason, attempt) =>
      deps.log.warn({ agent: id, reason, attempt }, 'the store did not take entries of a transcript'),
    clock: deps.clock,
  });
  const marks = { ownerId: deps.ownerId, agentId: id };
  return {
    options: {
      ...toOptions(spec, transcript, shell === null ? null : toSandbox(spec, deps.homes, shell)),
      env: toEnvironment({
        base: deps.baseEnv,
        spec,
        home,
        temporary,
        ...marks,
        apiRetries: deps.apiRetries,
      }),
      sessionStore: mirror.store,
      hooks: { PreToolUse: [guardWebFetch(deps.lookUp, deps.clock)] },
      ...(deps.executable.path === null ? {} : { pathToClaudeCodeExecutable: deps.executable.path }),
      spawnClaudeCodeProcess(options) {
        deps.executable.path ??= options.command;
        started = spawnProcess(options, deps.clock);
        return started.child;
      },
    },
    prompts,
    mirror,
    process: () => started,
    async remove(closeSession) {
      prompts.end();
      await deps.families.end([id]);
      closeSession();
      await removeAgentFolders(deps.homes, id);
    },
  };
}

/** Why a process did not come up, with its own last words. */
export function toStartFailure(failure: Error, launch: Launch): AgentStartFailed {
  const watched = launch.process();
  const detail = toDetail([failure.message, watched?.lastWords() ?? ''].join('; '));
  return new AgentStartFailed(reasonOf(failure, launch), detail, { cause: failure });
}

function reasonOf(failure: Error, { process, mirror }: Launch): AgentStartFailed['reason'] {
  const isStarted = process()?.child.pid !== undefined;
  if (!isStarted && !mirror.isUnread()) return 'no-process';
  return saysNoTranscript(failure.message) ? 'no-transcript' : 'failed';
}
