/**
 * Project updates: a project is a git working directory with a chain of versions; an update is a queued change of it,
 * made by an agent that goes on from what the latest version's agent knew.
 */
import type { Instant } from '../base/terms.ts';
import type { Policy } from './policy.ts';
import type {
  CancelOutcome,
  EnqueueOutcome,
  NewUpdate,
  ProjectRecords,
  UpdateQueue,
} from './project-store.ts';
import type { ResumeReport } from './resume-report.ts';
import type { Project, ProjectId, UpdateId, Version, VersionNo } from './terms.ts';

/** What the routes and the command line use. Whoever calls has checked who asks. */
export type Projects = {
  readonly records: Omit<ProjectRecords, 'create' | 'purge'>;
  readonly updates: Pick<UpdateQueue, 'get' | 'list' | 'events' | 'runs' | 'counts'>;
  /** Makes the row, the repository and, with a source, version 1. Rejects with `ImportRefused`, leaving nothing. */
  create(project: {
    readonly name: string;
    readonly ownerId: string;
    readonly policy: Policy;
    /** An absolute path on this host or an `https` address of a git repository; null: empty. */
    readonly importFrom: string | null;
  }): Promise<Project>;
  enqueue(update: NewUpdate): Promise<EnqueueOutcome>;
  cancel(id: UpdateId): Promise<CancelOutcome>;
  /** Called after each transaction that added events to the update; returns what ends it. */
  onEvents(id: UpdateId, listener: () => void): () => void;
  /** What the next update would do about its session, as things stand. */
  nextDecision(project: Project): Promise<ResumeForecast>;
  /** Null: one of the versions is not there. `from` 0: nothing. */
  diff(
    project: ProjectId,
    from: VersionNo,
    to: VersionNo,
  ): Promise<{ readonly text: string; readonly cut: boolean } | null>;
  archive(version: Version): AsyncIterable<Uint8Array>;
  report(project: ProjectId | null, from: Instant, to: Instant): Promise<ResumeReport>;
  /** Lets the running update end, then deletes everything of the project; done when the row is gone. */
  delete(project: ProjectId): Promise<void>;
  start(): void;
  /** Claims nothing more; what runs is interrupted after `drainMs` and goes on at the next start. */
  drain(drainMs: number): Promise<void>;
};

export type ResumeForecast = {
  readonly decision: 'resume' | 'fresh';
  readonly reason: string;
  readonly ageMs: number | null;
  readonly contextTokens: number | null;
  readonly failures: number;
};

export { makeProjects } from './make-projects.ts';
export { DEFAULT_POLICY, type Policy, policySchema } from './policy.ts';
export type {
  CancelOutcome,
  Checkpoint,
  Claim,
  EnqueueOutcome,
  NewUpdate,
  ProjectRecords,
  ProjectStore,
  ProjectToken,
  ProjectUpkeep,
  ResumeSample,
  Step,
  UpdateChange,
  UpdateQueue,
  UpdateTransaction,
} from './project-store.ts';
export { ImportRefused, type Repository, RepositoryFailed } from './repository.ts';
export type { ResumeReason } from './resume-reason.ts';
export type { ResumeArm, ResumeReport } from './resume-report.ts';
export type {
  AuditEntry,
  AuditEvent,
  CommitId,
  Degradation,
  Head,
  Project,
  ProjectId,
  ProjectSession,
  ProjectSessionState,
  ProjectState,
  Recommendation,
  ResumeOutcome,
  ResumePolicy,
  Run,
  RunId,
  RunOutcome,
  RunUsage,
  StepKind,
  TerminalEventType,
  TreeId,
  Update,
  UpdateError,
  UpdateErrorCode,
  UpdateEvent,
  UpdateEventType,
  UpdateId,
  UpdateKind,
  UpdateOptions,
  UpdateStatus,
  Version,
  VersionMetadata,
  VersionNo,
  WaitReason,
} from './terms.ts';
export { ADMIN_USER, PROGRESS, projectKey } from './terms.ts';
