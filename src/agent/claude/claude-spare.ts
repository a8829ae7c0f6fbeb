import { prewarm, type SpareProcess } from '@anthropic-ai/claude-agent-sdk';
import { within } from '../../base/clock.ts';
import { toError } from '../../base/errors.ts';
import { newSessionId } from '../../base/ids.ts';
import type { AgentId } from '../../base/terms.ts';
import type { AgentSpec, AgentStartRequest } from '../agent.ts';
import type { Spare } from '../spares.ts';
import type { ClaudeProcess } from './claude-process.ts';
import { makeFolder } from './folders.ts';
import { type Launch, type LaunchDeps, prepareLaunch, toStartFailure } from './launch.ts';

/** A process that is parked in a folder of its home, until a conversation claims it. */
export type ClaudeSpare = Spare & {
  /**
   * Binds it to a conversation and its workspace. Rejects with the reason when the process does not take it, leaving
   * nothing behind: nothing was asked of the model, and a plain start may follow under the same session id.
   */
  claim(request: ClaimRequest): Promise<ClaudeProcess>;
};

export type ClaimRequest = Pick<AgentStartRequest, 'conversation' | 'workspace'>;

/** Starts a process without a conversation. Rejects with `AgentStartFailed`, leaving nothing behind. */
export async function startClaudeSpare(id: AgentId, spec: AgentSpec, deps: LaunchDeps): Promise<ClaudeSpare> {
  const sessionId = newSessionId();
  const launch = await prepareLaunch(id, spec, { kind: 'new', sessionId }, deps);
  const parked = await park(launch, deps);
  const watched = launch.process();
  const pid = watched?.child.pid;
  if (parked instanceof Error || watched === null || pid === undefined) {
    await launch.remove(() => {});
    throw toStartFailure(parked instanceof Error ? parked : new Error('it has no pid'), launch);
  }
  const remove = () => launch.remove(() => parked.close());

  const claim = async ({ conversation, workspace }: ClaimRequest): Promise<ClaudeProcess> => {
    const { prompts, mirror } = launch;
    try {
      const cwd = await makeFolder(workspace);
      const session = parked.claim({ prompt: prompts.prompts, options: { cwd } });
      const claimed = await within(deps.clock, deps.claimLimitMs, parked.claimed);
      if (claimed === 'timed-out') throw new Error(`no answer to the claim within ${deps.claimLimitMs} ms`);
      checkClaim(claimed, { cwd, sessionId });
      return { pid, conversation, session, prompts, mirror, watched, remove };
    } catch (error) {
      await remove();
      throw error;
    }
  };
  return { id, pid, sessionId, ended: watched.ended, remove, claim };
}

async function park(launch: Launch, deps: LaunchDeps): Promise<SpareProcess | Error> {
  try {
    const parked = await prewarm({ options: launch.options, initializeTimeoutMs: deps.startLimitMs });
    // It rejects too when a spare ends that nobody ever wanted to claim.
    parked.claimed.catch(() => {});
    return parked;
  } catch (error) {
    return toError(error);
  }
}

type Bound = { readonly cwd: string; readonly sessionId: string };

/** The folder decides what the agent may read, the id where its transcript goes: neither is taken on trust. */
function checkClaim(claimed: Bound, wanted: Bound): void {
  if (claimed.cwd !== wanted.cwd) throw new Error('it works in another folder');
  if (claimed.sessionId !== wanted.sessionId) throw new Error('it took another session id');
}
