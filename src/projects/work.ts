import type { Agents, TranscriptStore } from '../agent/agent.ts';
import type { Clock } from '../base/clock.ts';
import type { Instant } from '../base/terms.ts';
import type { Endpoints } from '../session/session.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Control } from './control.ts';
import type { Checkpoint, Claim, ProjectStore, UpdateTransaction } from './project-store.ts';
import type { Repository } from './repository.ts';
import {
  type CommitId,
  type Degradation,
  type Head,
  PROGRESS,
  type StepKind,
  type UpdateErrorCode,
  type WaitReason,
} from './terms.ts';
import type { Verifier } from './verifier.ts';

export type ProjectsDeps = {
  readonly store: ProjectStore;
  readonly repository: Repository;
  readonly verifier: Verifier;
  readonly agents: Pick<Agents, 'start'>;
  readonly transcripts: Pick<TranscriptStore, 'after'>;
  readonly endpoints: Pick<Endpoints, 'choose' | 'report'>;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** The release of the agent's SDK. */
  readonly agentVersion: string;
  /** Of projects that name none; undefined: the SDK's. */
  readonly defaultModel: string | undefined;
  readonly limits: {
    /** `PROJECT_RESUME` */
    readonly resume: boolean;
    /** `PROJECTS_AT_ONCE` */
    readonly atOnce: number;
    readonly pollMs: number;
    readonly renewMs: number;
    /** How long a lease is good without renewal. */
    readonly leaseMs: number;
    readonly stuckAfterMs: number;
    /** How long an interrupted run may take to end before its family is ended. */
    readonly graceMs: number;
  };
};

/** One claimed update on its way. */
export type Work = {
  readonly claim: Claim;
  readonly deps: ProjectsDeps;
  readonly control: Control;
  /** As our own transactions have moved it. */
  head: Head;
  /** The files may hold what this update has made of them: unless it is committed, they are put back. */
  filesAreOurs: boolean;
  /** What the update has cost so far. */
  spentUsd: number;
  /** Rows of `agent.*` events that it may still write. */
  eventsLeft: number;
  /** In one transaction that checks the fence; listeners hear of it. Throws `LeaseLost`. */
  transact<Result>(work: (tx: UpdateTransaction) => Promise<Result>): Promise<Result>;
};

/** Why an update that is not committed goes no further for now. */
export type Halt =
  | { readonly kind: 'fail'; readonly code: UpdateErrorCode; readonly detail: string }
  | {
      readonly kind: 'again';
      readonly notBefore: Instant;
      readonly reason: WaitReason;
      readonly givesBackAttempt: boolean;
      readonly detail: string;
    }
  /** We were asked to; the control says by whom. */
  | { readonly kind: 'stop' };

export const MOST_AGENT_EVENTS = 500;

export function makeWork(
  claim: Claim,
  control: Control,
  deps: ProjectsDeps,
  notify: (claim: Claim) => void,
): Work {
  return {
    claim,
    deps,
    control,
    head: claim.project.head,
    filesAreOurs: claim.steps.some(({ kind }) => kind === 'edit'),
    spentUsd: claim.update.spent.costUsd,
    eventsLeft: MOST_AGENT_EVENTS,
    async transact(work) {
      const result = await deps.store.queue.transaction(claim, work);
      notify(claim);
      return result;
    },
  };
}

export function beginStep(
  work: Work,
  tx: UpdateTransaction,
  kind: StepKind,
  checkpoint: Checkpoint,
  session: Head['session'] = work.head.session,
): Promise<void> {
  return tx.steps.begin(kind, session, checkpoint);
}

export async function degrade(tx: UpdateTransaction, what: Degradation, at: StepKind): Promise<void> {
  await tx.update.set({ degraded: what });
  await tx.events.add('update.degraded', PROGRESS[at], { what });
}

/** Null is left out: a checkpoint without a base began with no files. */
export function baseOf(commit: CommitId | null): Pick<Checkpoint, 'base'> {
  return commit === null ? {} : { base: commit };
}
