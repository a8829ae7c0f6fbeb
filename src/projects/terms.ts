/** The nouns of project updates. */
import type { Branded, ConversationKey, EntryId, Instant, SessionId } from '../base/terms.ts';
import type { Policy } from './policy.ts';
import type { ResumeReason } from './resume-reason.ts';

export type ProjectId = Branded<string, 'ProjectId'>;
/** Whom the administrator acts as when nobody is named: may change every project, and no token is ever given to it. */
export const ADMIN_USER = 'admin';

/** Counts up over all projects: the order in which updates were queued. */
export type UpdateId = Branded<number, 'UpdateId'>;
export type RunId = Branded<number, 'RunId'>;
/** 1, 2, 3 … within its project, without gaps. */
export type VersionNo = number;
/** Hex object names of git. */
export type CommitId = Branded<string, 'CommitId'>;
export type TreeId = Branded<string, 'TreeId'>;

/** The key under which a project's lease, agents and ledger entries stand: it is no chat's conversation. */
export function projectKey(project: ProjectId): ConversationKey {
  return `project:${project}` as ConversationKey;
}

/**
 *   active ⇄ frozen (disk full, broken repository, or by an operator; nothing is claimed, nothing is lost)
 *   active | frozen ──delete──▶ deleting ──everything of it is gone──▶ (no row)
 */
export type ProjectState = 'active' | 'frozen' | 'deleting';

export type Project = {
  readonly id: ProjectId;
  readonly name: string;
  readonly ownerId: string;
  readonly state: ProjectState;
  readonly policy: Policy;
  /** The one mutable pointer: what the next update starts from. */
  readonly head: Head;
  readonly createdAt: Instant;
};

/** `version` null: none yet. `commit` is that version's, or a snapshot of changes made from outside since. */
export type Head = {
  readonly version: VersionNo | null;
  readonly session: SessionId | null;
  readonly commit: CommitId | null;
  /** Grows with every move. */
  readonly revision: number;
};

/**
 *   provisional ──confirmed──▶ active ──the head moved on──▶ superseded ──retention──▶ deleted
 *        │                       └──▶ lost | quarantined | expired ──retention──▶ deleted
 *        └─ its run did not end well, or it was a side session ─▶ deleted
 *
 * `superseded` is still good: a restored version goes on from its own.
 */
export type ProjectSessionState =
  | 'provisional'
  | 'active'
  | 'superseded'
  | 'lost'
  | 'quarantined'
  | 'expired'
  | 'deleted';

export type ProjectSession = {
  readonly sessionId: SessionId;
  readonly projectId: ProjectId;
  /** Whose fork it is; null: it began with nothing. */
  readonly parentId: SessionId | null;
  /** `side`: a throw-away fork that described a version. */
  readonly origin: 'edit' | 'compact' | 'side';
  readonly state: ProjectSessionState;
  /** Where its transcript ends as far as it counts; null while provisional. */
  readonly settledEntry: EntryId | null;
  /** The tree that its agent saw last. */
  readonly tree: TreeId | null;
  readonly agentVersion: string;
  readonly model: string | null;
  readonly contextTokens: number | null;
  /** Resumes of it that failed; a resume that works does not take any away. */
  readonly failures: number;
  readonly createdBy: string;
  readonly createdAt: Instant;
  readonly lastUsedAt: Instant;
};

/** Whose update it is and what was asked. */
export type UpdateKind = 'update' | 'restore' | 'compact' | 'import';

/**
 *   queued ──claim──▶ running ──version, head and state in one transaction──▶ committed ──▶ completed
 *     │ ▲                │ └──▶ failed | cancelled
 *     │ └─ try again ────┘
 *     └──cancel──▶ cancelled
 *
 * `running` and `committed` hold the project: at most one such update for each. What runs once committed is optional:
 * it can degrade the update and never fail it.
 */
export type UpdateStatus = 'queued' | 'running' | 'committed' | 'completed' | 'failed' | 'cancelled';

/** In their order; which of them an update has follows from its kind and its project's policy. */
export type StepKind =
  | 'prepare'
  | 'edit'
  | 'verify'
  | 'commit'
  | 'recommend'
  | 'document'
  | 'compact'
  | 'finalize';

/** How far an update is when a step begins. */
export const PROGRESS: Readonly<Record<StepKind, number>> = {
  prepare: 0.01,
  edit: 0.05,
  verify: 0.75,
  commit: 0.85,
  recommend: 0.9,
  document: 0.93,
  compact: 0.96,
  finalize: 0.99,
};

export type ResumePolicy = 'auto' | 'never' | 'require';
export type ResumeOutcome = 'not-attempted' | 'accepted' | 'fell-back' | 'failed';

export type Degradation =
  | 'no_changes'
  | 'fell_back'
  | 'session_lost'
  | 'verify_skipped'
  | 'recommendations_failed'
  | 'documentation_failed'
  | 'compaction_failed'
  | 'preempted';

/** Why an update waits although it is its turn; null: for its turn. */
export type WaitReason = 'back-off' | 'provider-limit' | 'frozen';

export type Update = {
  readonly id: UpdateId;
  readonly projectId: ProjectId;
  readonly userId: string;
  readonly kind: UpdateKind;
  readonly prompt: string | null;
  readonly options: UpdateOptions;
  readonly status: UpdateStatus;
  /** The step that runs, or ran last. */
  readonly step: StepKind | null;
  /** Counted when it is claimed; a wait for the provider gives one back, a crash does not. */
  readonly attempt: number;
  readonly notBefore: Instant | null;
  readonly waitReason: WaitReason | null;
  readonly degraded: readonly Degradation[];
  readonly baseVersion: VersionNo | null;
  readonly resultVersion: VersionNo | null;
  readonly resume: {
    readonly decision: 'resume' | 'fresh' | null;
    readonly reason: ResumeReason | null;
    readonly outcome: ResumeOutcome | null;
    readonly arm: 'resume' | 'holdout' | null;
  };
  readonly fixTurns: number;
  readonly cancelRequestedAt: Instant | null;
  readonly error: UpdateError | null;
  readonly queuedAt: Instant;
  readonly startedAt: Instant | null;
  readonly committedAt: Instant | null;
  readonly finishedAt: Instant | null;
  /** Sums over its runs. */
  readonly spent: RunUsage;
};

export type UpdateOptions = {
  readonly resume: ResumePolicy;
  /** What the head must be when the update is claimed (`If-Match`); null: whatever it is. */
  readonly expectedVersion: VersionNo | null;
  /** Of a restore: the version whose files come back. */
  readonly restoreVersion: VersionNo | null;
  /** Null: as the project's policy says. */
  readonly recommendations: boolean | null;
  readonly documentation: boolean | null;
  readonly compact: 'auto' | 'never';
};

/** `code` is stable and listed in `docs/errors.md`; `detail` is for operators, never for the project's users. */
export type UpdateError = { readonly code: UpdateErrorCode; readonly detail: string };

export type UpdateErrorCode =
  | 'session_unavailable'
  | 'version_mismatch'
  | 'unknown_version'
  | 'access_revoked'
  | 'agent_failed'
  | 'agent_timeout'
  | 'agent_stuck'
  | 'agent_refused_by_provider'
  | 'steps_used_up'
  | 'budget_exceeded'
  | 'verify_failed'
  | 'disk_full'
  | 'repository_broken'
  | 'worker_crash_loop'
  | 'internal_error';

/** Tokens and money; a run without a cost of its own is counted in `runsWithoutCost`, never as zero. */
export type RunUsage = {
  readonly costUsd: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  readonly runsWithoutCost: number;
};

/** One agent process. */
export type Run = {
  readonly id: RunId;
  readonly updateId: UpdateId;
  readonly purpose: 'edit' | 'recommend' | 'document' | 'compact';
  readonly mode: 'fresh' | 'fork' | 'resume';
  /** Chosen before it started. */
  readonly sessionId: SessionId;
  /** What it reported at its end; another one is counted as a mismatch. */
  readonly reportedSessionId: SessionId | null;
  readonly outcome: RunOutcome;
  readonly detail: string | null;
  readonly usage: RunUsage;
  readonly steps: number;
  readonly startedAt: Instant;
  readonly firstTextAt: Instant | null;
  readonly firstEditAt: Instant | null;
  readonly finishedAt: Instant | null;
};

export type RunOutcome =
  | 'running'
  | 'ok'
  | 'no-transcript'
  | 'died'
  | 'stuck'
  | 'timeout'
  | 'api-error'
  | 'limit'
  | 'not-started'
  | 'cancelled'
  | 'interrupted'
  | 'unusable';

export type Version = {
  readonly projectId: ProjectId;
  readonly no: VersionNo;
  readonly parentNo: VersionNo | null;
  /** The version whose files it brought back. */
  readonly restoredNo: VersionNo | null;
  readonly updateId: UpdateId;
  readonly kind: UpdateKind;
  readonly commit: CommitId;
  readonly tree: TreeId;
  /** The session that edited it, and the one that its next update goes on from. */
  readonly editSession: SessionId | null;
  readonly finalSession: SessionId | null;
  readonly prompt: string | null;
  readonly changes: { readonly files: number; readonly added: number; readonly removed: number };
  readonly metadata: VersionMetadata;
  readonly createdBy: string;
  readonly createdAt: Instant;
};

/** What an agent wrote about a version afterwards; it never changes the version's number or place. */
export type VersionMetadata = {
  readonly state: 'pending' | 'ready' | 'partial' | 'failed' | 'skipped';
  readonly title: string | null;
  readonly description: string | null;
  readonly changeType: 'patch' | 'minor' | 'major' | null;
  readonly recommendations: readonly Recommendation[];
  readonly documentation: string | null;
};

export type Recommendation = {
  readonly title: string;
  readonly description: string;
  readonly category: string;
  readonly complexity: 'easy' | 'medium' | 'hard';
  readonly impact: 'low' | 'medium' | 'high';
  readonly prompt: string;
};

/** Types of stored events; only the last three end a stream, and each update has exactly one of those. */
export type UpdateEventType =
  | 'update.queued'
  | 'update.waiting'
  | 'update.started'
  | 'update.retrying'
  | 'update.degraded'
  | 'resume.decided'
  | 'resume.fell_back'
  | 'step.started'
  | 'step.finished'
  | 'agent.message'
  | 'agent.tool'
  | 'verify.finished'
  | 'version.created'
  | 'recommendations.ready'
  | 'documentation.ready'
  | 'session.compacted'
  | TerminalEventType;
export type TerminalEventType = 'update.completed' | 'update.failed' | 'update.cancelled';

export type UpdateEvent = {
  readonly updateId: UpdateId;
  /** 1, 2, 3 … within the update: the id of the server-sent event. */
  readonly seq: number;
  readonly at: Instant;
  readonly type: UpdateEventType;
  /** 0..1, never less than that of the event before. */
  readonly progress: number;
  /** Small JSON for the project's users: no path, no id of a session, no provider's text. */
  readonly payload: Readonly<Record<string, unknown>>;
};

export type AuditEvent =
  | 'decision'
  | 'created'
  | 'confirmed'
  | 'superseded'
  | 'compacted'
  | 'fallback'
  | 'resume_failed'
  | 'lost'
  | 'quarantined'
  | 'expired'
  | 'deleted'
  | 'binding_violation'
  | 'head_moved'
  | 'reset'
  | 'flag_changed'
  | 'project_deleted';

/** Append-only: the database refuses to change or delete a row. */
export type AuditEntry = {
  readonly id: number;
  readonly at: Instant;
  readonly projectId: ProjectId;
  readonly actor: 'user' | 'server' | 'operator';
  readonly userId: string | null;
  readonly updateId: UpdateId | null;
  readonly sessionId: SessionId | null;
  readonly event: AuditEvent;
  readonly reason: string | null;
};
