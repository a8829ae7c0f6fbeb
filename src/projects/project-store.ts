/** What is kept of projects: the ports that `store/` implements, once for both databases. */
import type { EntryId, Instant, Lease, SessionId } from '../base/terms.ts';
import type { Policy } from './policy.ts';
import type { ResumeReason } from './resume-reason.ts';
import type {
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
  ResumeOutcome,
  Run,
  RunId,
  StepKind,
  TreeId,
  Update,
  UpdateError,
  UpdateEvent,
  UpdateEventType,
  UpdateId,
  UpdateKind,
  UpdateOptions,
  Version,
  VersionMetadata,
  VersionNo,
  WaitReason,
} from './terms.ts';

/** Projects, their tokens, and what people see of them. */
export type ProjectRecords = {
  /** With its first audit entry; the head is empty. */
  create(project: Pick<Project, 'id' | 'name' | 'ownerId' | 'policy'>): Promise<Project>;
  get(id: ProjectId): Promise<Project | null>;
  /** In the order of their ids, after one of them. */
  list(after: ProjectId | null, limit: number): Promise<readonly Project[]>;
  /** Null: there is none. A changed `policy.resume` or `policy.holdout_percent` is in the audit. */
  change(
    id: ProjectId,
    change: { readonly name?: string; readonly policy?: Policy; readonly state?: ProjectState },
    actor: 'user' | 'operator' | 'server',
  ): Promise<Project | null>;
  /**
   * Deletes every row and transcript of a project in state `deleting` but its audit, which ends with
   * `project_deleted`, and what it cost, which is in the ledger for as long as that is kept. False: an update still
   * holds it. True as well when there is no such project. Throws for one that is not being deleted.
   */
  purge(id: ProjectId): Promise<boolean>;

  addToken(
    token: Omit<ProjectToken, 'id' | 'createdAt' | 'revokedAt'> & { readonly hash: string },
  ): Promise<ProjectToken>;
  tokens(project: ProjectId): Promise<readonly ProjectToken[]>;
  /** False: there is no such token of this project. */
  revokeToken(project: ProjectId, id: number): Promise<boolean>;
  /** The live token with this hash (SHA-256, hex). */
  findToken(hash: string): Promise<ProjectToken | null>;
  /** Whether the user holds a live token of the project, or owns it, or is `ADMIN_USER`. */
  mayWrite(project: ProjectId, userId: string): Promise<boolean>;

  version(project: ProjectId, no: VersionNo): Promise<Version | null>;
  /** Newest first, below `before`. */
  versions(project: ProjectId, before: VersionNo | null, limit: number): Promise<readonly Version[]>;
  session(project: ProjectId, id: SessionId): Promise<ProjectSession | null>;
  /** Oldest first, after an id. */
  audit(project: ProjectId, after: number, limit: number): Promise<readonly AuditEntry[]>;
  /** The head's session is given up: the next update starts fresh. False while an update holds the project. */
  resetSession(project: ProjectId, userId: string): Promise<boolean>;
};

export type ProjectToken = {
  readonly id: number;
  readonly projectId: ProjectId;
  /** Whom the token's holder acts as, always. */
  readonly userId: string;
  readonly label: string;
  readonly createdAt: Instant;
  readonly revokedAt: Instant | null;
};

export type NewUpdate = {
  readonly projectId: ProjectId;
  readonly userId: string;
  readonly kind: UpdateKind;
  readonly prompt: string | null;
  readonly options: UpdateOptions;
  /** Of the project; the same key with the same request gives the same update. */
  readonly idempotencyKey: string;
  /** SHA-256 of the request. */
  readonly digest: string;
};

export type EnqueueOutcome =
  | { readonly kind: 'queued' | 'known'; readonly update: Update }
  /** The key was used for another request. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'full' }
  | { readonly kind: 'frozen' }
  /** The head is not, and after what is queued cannot be, what was expected. */
  | { readonly kind: 'version_mismatch'; readonly head: VersionNo | null }
  | { readonly kind: 'unknown_project' };

export type CancelOutcome = 'cancelled' | 'asked' | 'already_cancelled' | 'already_ended' | 'unknown_update';

/** An update that is ours until its lease is lost. */
export type Claim = {
  readonly lease: Lease;
  readonly update: Update;
  readonly project: Project;
  /** Its steps so far, of this claim's attempt and of earlier ones, oldest first. */
  readonly steps: readonly Step[];
  /** Runs that never ended: their server died. */
  readonly openRuns: readonly Run[];
};

export type Step = {
  readonly kind: StepKind;
  readonly attempt: number;
  readonly state: 'running' | 'succeeded' | 'failed' | 'interrupted' | 'skipped';
  readonly inputSession: SessionId | null;
  readonly outputSession: SessionId | null;
  /** What another server needs to go on from here. */
  readonly checkpoint: Checkpoint;
};

export type Checkpoint = {
  /** The commit that the step began on. */
  readonly base?: CommitId;
  /** The tree that it left behind. */
  readonly tree?: TreeId;
  /** When it was made: a commit that is made again is the same commit. */
  readonly at?: Instant;
};

export type UpdateQueue = {
  /** One transaction: known key, state of the project, depth, expected version, then the row and its first event. */
  enqueue(update: NewUpdate): Promise<EnqueueOutcome>;
  get(id: UpdateId): Promise<Update | null>;
  /** Newest first, below `before`. */
  list(
    project: ProjectId,
    query: {
      readonly status: Update['status'] | null;
      readonly before: UpdateId | null;
      readonly limit: number;
    },
  ): Promise<readonly Update[]>;
  events(update: UpdateId, after: number, limit: number): Promise<readonly UpdateEvent[]>;
  runs(update: UpdateId): Promise<readonly Run[]>;
  /** A queued update is cancelled here and now; one that runs is asked to end. */
  requestCancel(id: UpdateId): Promise<CancelOutcome>;

  /**
   * The next update that may run, under a new lease of its project: one whose server died (`running` or `committed`,
   * its lease free), else the oldest queued one of a project that is active and free, the oldest project first. Never
   * overtakes inside a project. Its attempt is counted, but of a `committed` one.
   */
  claim(): Promise<Claim | null>;
  renew(claim: Claim): Promise<boolean>;
  /** Gives the lease up once the update is done or waits again. */
  release(claim: Claim): Promise<void>;
  /** What happened to a running update from outside. */
  signals(claim: Claim): Promise<{ readonly cancelRequested: boolean; readonly newerWaits: boolean }>;
  /** Everything that `work` writes, in one transaction that checks the fence first. Throws `LeaseLost`. */
  transaction<Result>(claim: Claim, work: (tx: UpdateTransaction) => Promise<Result>): Promise<Result>;

  counts(): Promise<{ readonly queued: number; readonly running: number }>;
};

/** Writes of one claimed update; project and update are the claim's. */
export type UpdateTransaction = {
  readonly update: {
    set(change: UpdateChange): Promise<void>;
    /** Back to `queued`, in its old place. `givesBackAttempt`: it was not its fault, and it is as if not begun. */
    requeue(wait: {
      readonly notBefore: Instant;
      readonly reason: WaitReason;
      readonly givesBackAttempt: boolean;
    }): Promise<void>;
    /** Ends it; with the terminal event. Throws when it has ended already; what is committed can only be completed. */
    end(end: {
      readonly status: 'completed' | 'failed' | 'cancelled';
      readonly error: UpdateError | null;
      readonly payload: UpdateEvent['payload'];
    }): Promise<void>;
  };
  readonly steps: {
    /** With the event `step.started`. One that begins again in the same attempt starts over. */
    begin(kind: StepKind, inputSession: SessionId | null, checkpoint: Checkpoint): Promise<void>;
    /** With the event `step.finished`. The checkpoint is added to that of the beginning. */
    end(
      kind: StepKind,
      state: Exclude<Step['state'], 'running'>,
      end: { readonly outputSession?: SessionId | null; readonly checkpoint?: Checkpoint },
    ): Promise<void>;
    /** Every step that still runs is `interrupted`. */
    interrupt(): Promise<void>;
  };
  readonly runs: {
    /** Of a session that has begun. */
    begin(run: Pick<Run, 'purpose' | 'mode' | 'sessionId'>): Promise<RunId>;
    /** Once; what it took goes into the ledger as well. */
    end(
      id: RunId,
      end: Omit<Run, 'id' | 'updateId' | 'purpose' | 'mode' | 'sessionId' | 'startedAt' | 'finishedAt'>,
    ): Promise<void>;
  };
  readonly sessions: {
    /** A provisional one, before its process starts; the audit has it as `created`. */
    begin(
      session: Pick<ProjectSession, 'sessionId' | 'parentId' | 'origin' | 'agentVersion' | 'model'>,
    ): Promise<void>;
    /** Provisional or active → active; the audit has it as `confirmed`. */
    confirm(
      id: SessionId,
      seen: { readonly settledEntry: EntryId; readonly tree: TreeId; readonly contextTokens: number | null },
    ): Promise<void>;
    /** With its audit entry. `deleted` takes its transcript along. */
    end(
      id: SessionId,
      state: Exclude<ProjectSessionState, 'provisional' | 'active'>,
      reason: string,
    ): Promise<void>;
    /** One failed resume more; how many there are now. */
    failed(id: SessionId): Promise<number>;
  };
  readonly versions: {
    /** The next number of the project; the update becomes `committed`, with the event `version.created`. */
    add(
      version: Omit<
        Version,
        'projectId' | 'no' | 'updateId' | 'kind' | 'prompt' | 'metadata' | 'createdBy' | 'createdAt'
      >,
    ): Promise<VersionNo>;
    describe(
      no: VersionNo,
      metadata: Partial<VersionMetadata> & { readonly finalSession?: SessionId },
    ): Promise<void>;
  };
  readonly head: {
    /**
     * Only while its revision is the expected one, else throws; an active session that it leaves is `superseded`. The
     * audit has both.
     */
    move(expected: number, to: Partial<Omit<Head, 'revision'>>): Promise<Head>;
  };
  readonly events: {
    add(
      type: Exclude<UpdateEventType, 'update.completed' | 'update.failed' | 'update.cancelled'>,
      progress: number,
      payload: UpdateEvent['payload'],
    ): Promise<void>;
  };
  readonly audit: {
    add(entry: {
      readonly event: AuditEvent;
      readonly sessionId: SessionId | null;
      readonly reason: string | null;
    }): Promise<void>;
  };
  readonly project: { freeze(): Promise<void> };
};

export type UpdateChange = {
  readonly step?: StepKind;
  readonly status?: 'committed';
  readonly baseVersion?: VersionNo | null;
  readonly decision?: {
    readonly decision: 'resume' | 'fresh';
    readonly reason: ResumeReason;
    readonly arm: 'resume' | 'holdout' | null;
  };
  readonly outcome?: ResumeOutcome;
  readonly degraded?: Degradation;
  readonly fixTurns?: number;
};

/** One ended update, for the resume report. */
export type ResumeSample = {
  readonly decision: 'resume' | 'fresh' | null;
  readonly reason: ResumeReason | null;
  readonly outcome: ResumeOutcome | null;
  readonly arm: 'resume' | 'holdout' | null;
  readonly status: Update['status'];
  /** Null when a run of it has no cost of its own. */
  readonly costUsd: number | null;
  readonly tokens: number;
  readonly startedAt: Instant;
  readonly committedAt: Instant | null;
  readonly fixTurns: number;
  /** A later restore undid it within a day. */
  readonly restoredAway: boolean;
};

/** What is counted, and what may go. */
export type ProjectUpkeep = {
  /** Updates of kind `update` that ended in the time, of one project or all; at most `limit`, newest first. */
  resumeSamples(
    project: ProjectId | null,
    from: Instant,
    to: Instant,
    limit: number,
  ): Promise<readonly ResumeSample[]>;
  /**
   * Deletes transcripts of sessions that nothing can go on from: neither the head's nor one of the last `keepVersions`
   * versions', unused since `unusedSince`. Then events before `endedBefore` but the terminal and `version.created`.
   * At most `limit` of each; how many went.
   */
  expire(limits: {
    readonly keepVersions: number;
    readonly unusedSince: Instant;
    readonly endedBefore: Instant;
    readonly limit: number;
  }): Promise<{ readonly sessions: number; readonly events: number }>;
};

export type ProjectStore = {
  readonly records: ProjectRecords;
  readonly queue: UpdateQueue;
  readonly upkeep: ProjectUpkeep;
};
