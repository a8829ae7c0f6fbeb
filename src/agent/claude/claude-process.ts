import { type Query, query } from '@anthropic-ai/claude-agent-sdk';
import { within } from '../../base/clock.ts';
import { toError } from '../../base/errors.ts';
import type { AgentId, ConversationKey } from '../../base/terms.ts';
import type { AgentStartRequest } from '../agent.ts';
import { makeFolder } from './folders.ts';
import { type LaunchDeps, prepareLaunch, toStartFailure } from './launch.ts';
import type { PromptQueue } from './prompt-queue.ts';
import type { WatchedProcess } from './spawn-process.ts';
import type { TranscriptMirror } from './transcript-mirror.ts';

/** A process that has answered and belongs to a conversation, with everything that belongs to it. */
export type ClaudeProcess = {
  readonly pid: number;
  readonly conversation: ConversationKey;
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
  { conversation, spec, transcript, workspace }: AgentStartRequest,
  deps: LaunchDeps,
): Promise<ClaudeProcess> {
  const cwd = await makeFolder(workspace);
  const launch = await prepareLaunch(id, spec, transcript, deps);
  const { prompts, mirror, options } = launch;
  const session = query({ prompt: prompts.prompts, options: { ...options, cwd } });

  const remove = () => launch.remove(() => session.close());
  const failure = await waitForAnswer(session, deps);
  const watched = launch.process();
  const pid = watched?.child.pid;
  if (failure === null && watched !== null && pid !== undefined)
    return { pid, conversation, session, prompts, mirror, watched, remove };
  await remove();
  throw toStartFailure(failure ?? new Error('it has no pid'), launch);
}

async function waitForAnswer(session: Query, deps: LaunchDeps): Promise<Error | null> {
  try {
    const answer = await within(deps.clock, deps.startLimitMs, session.initializationResult());
    return answer === 'timed-out' ? new Error(`no answer within ${deps.startLimitMs} ms`) : null;
  } catch (error) {
    return toError(error);
  }
}
