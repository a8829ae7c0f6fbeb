import type { ConversationKey, Instant, Lease } from '../base/terms.ts';
import type { Phase } from './decide-wake.ts';
import type { Jobs } from './jobs.ts';
import type { QueueDeps } from './queue.ts';

/** A conversation that is under way; `decide-wake.ts` says what its phases mean. */
export type Active = {
  readonly interruption: AbortController;
  /** When its turn began. */
  since: Instant;
  phase: Exclude<Phase, 'none'>;
  busyRemarked: boolean;
  /** Somebody wrote who may join the turn; whoever did not is looked after when it has taken its messages. */
  mayBeJoined: boolean;
  done: Promise<void>;
};

export type ConversationDeps = Pick<QueueDeps, 'leases' | 'clock' | 'limits' | 'runTurn'> & {
  readonly jobs: Jobs;
  /** No further turn of the conversation may begin. */
  isHalted(conversation: ConversationKey): boolean;
  /** A turn has taken its messages while somebody else may have written. */
  onLeftOut(conversation: ConversationKey): void;
  /** A lease could not be renewed: its turn will find out when it commits. */
  onRenewFailed(error: unknown): void;
};

/** Turns of one conversation under one lease, until nothing waits. True: something does, for another round. */
export async function runConversation(
  conversation: ConversationKey,
  running: Active,
  deps: ConversationDeps,
): Promise<boolean> {
  const lease = await deps.leases.acquire(conversation);
  if (lease === null) {
    deps.jobs.drop(conversation);
    return false;
  }
  const stopRenewing = deps.clock.every(
    deps.limits.renewMs,
    () => void deps.leases.renew(lease).catch(deps.onRenewFailed),
  );
  try {
    await runTurns(lease, running, deps);
  } catch (error) {
    // What waits is left to the poll: trying again at once would spin.
    deps.jobs.drop(conversation);
    await release(lease, running, deps);
    throw error;
  } finally {
    stopRenewing();
  }
  return release(lease, running, deps);
}

async function release(lease: Lease, running: Active, { leases }: ConversationDeps): Promise<boolean> {
  running.phase = 'releasing';
  return (await leases.release(lease)).more;
}

async function runTurns(lease: Lease, running: Active, deps: ConversationDeps): Promise<void> {
  const abort = running.interruption.signal;
  const enter = (phase: Active['phase']): void => {
    running.phase = phase;
  };
  const claimed = (): void => {
    enter('turn');
    if (running.mayBeJoined) deps.onLeftOut(lease.conversation);
  };
  const watch = { abort, claimed, committed: () => enter('between') };
  while (!abort.aborted && !deps.isHalted(lease.conversation)) {
    Object.assign(running, { since: deps.clock.now(), busyRemarked: false, mayBeJoined: false });
    // Nobody is helped while a job runs, so nobody is told that somebody is.
    if (deps.jobs.has(lease.conversation)) enter('between');
    await deps.jobs.run(lease);
    enter('opening');
    const outcome = await deps.runTurn(lease, watch).finally(watch.committed);
    if (outcome.kind === 'idle') return;
  }
}
