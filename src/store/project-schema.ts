/** The tables of project updates, as `migrations/0007_projects.ts` makes them. */
import type { GeneratedAlways } from 'kysely';
import type { EntryId, Instant, SessionId } from '../base/terms.ts';
import type {
  AuditEntry,
  CommitId,
  Project,
  ProjectId,
  ProjectSession,
  Run,
  RunId,
  Step,
  StepKind,
  TreeId,
  Update,
  UpdateErrorCode,
  UpdateEvent,
  UpdateId,
  Version,
  VersionMetadata,
  VersionNo,
  WaitReason,
} from '../projects/projects.ts';

export type ProjectSchema = {
  readonly projects: ProjectsTable;
  readonly project_heads: ProjectHeadsTable;
  readonly project_tokens: ProjectTokensTable;
  readonly project_sessions: ProjectSessionsTable;
  readonly project_versions: ProjectVersionsTable;
  readonly updates: UpdatesTable;
  readonly update_steps: UpdateStepsTable;
  readonly update_runs: UpdateRunsTable;
  readonly update_events: UpdateEventsTable;
  readonly project_audit: ProjectAuditTable;
};

type ProjectsTable = {
  id: ProjectId;
  name: string;
  owner_id: string;
  state: Project['state'];
  /** JSON. */
  policy: string;
  created_at: Instant;
};

/** One row for each project. */
type ProjectHeadsTable = {
  project_id: ProjectId;
  version: VersionNo | null;
  session_id: SessionId | null;
  commit_id: CommitId | null;
  revision: number;
};

type ProjectTokensTable = {
  id: GeneratedAlways<number>;
  project_id: ProjectId;
  user_id: string;
  label: string;
  hash: string;
  created_at: Instant;
  revoked_at: Instant | null;
};

type ProjectSessionsTable = {
  session_id: SessionId;
  project_id: ProjectId;
  parent_id: SessionId | null;
  origin: ProjectSession['origin'];
  state: ProjectSession['state'];
  settled_entry: EntryId | null;
  tree: TreeId | null;
  agent_version: string;
  model: string | null;
  context_tokens: number | null;
  failures: number;
  created_by: string;
  created_at: Instant;
  last_used_at: Instant;
};

type ProjectVersionsTable = {
  project_id: ProjectId;
  no: VersionNo;
  parent_no: VersionNo | null;
  restored_no: VersionNo | null;
  /** Its kind, prompt and user are the version's. */
  update_id: UpdateId;
  commit_id: CommitId;
  tree: TreeId;
  edit_session: SessionId | null;
  final_session: SessionId | null;
  files_changed: number;
  lines_added: number;
  lines_removed: number;
  metadata_state: VersionMetadata['state'];
  title: string | null;
  description: string | null;
  change_type: VersionMetadata['changeType'];
  /** JSON. */
  recommendations: string;
  documentation: string | null;
  created_at: Version['createdAt'];
};

/** `finished_at` is null exactly while the status is `queued`, `running` or `committed`. */
type UpdatesTable = {
  id: GeneratedAlways<UpdateId>;
  project_id: ProjectId;
  user_id: string;
  kind: Update['kind'];
  prompt: string | null;
  /** JSON. */
  options: string;
  idempotency_key: string;
  digest: string;
  status: Update['status'];
  step: StepKind | null;
  attempt: number;
  not_before: Instant | null;
  wait_reason: WaitReason | null;
  /** JSON. */
  degraded: string;
  base_version: VersionNo | null;
  result_version: VersionNo | null;
  resume_decision: Update['resume']['decision'];
  resume_reason: Update['resume']['reason'];
  resume_outcome: Update['resume']['outcome'];
  arm: Update['resume']['arm'];
  fix_turns: number;
  cancel_requested_at: Instant | null;
  error_code: UpdateErrorCode | null;
  error_detail: string | null;
  queued_at: Instant;
  started_at: Instant | null;
  committed_at: Instant | null;
  finished_at: Instant | null;
};

type UpdateStepsTable = {
  update_id: UpdateId;
  project_id: ProjectId;
  kind: StepKind;
  attempt: number;
  state: Step['state'];
  input_session: SessionId | null;
  output_session: SessionId | null;
  /** JSON. */
  checkpoint: string;
  started_at: Instant;
  finished_at: Instant | null;
};

type UpdateRunsTable = {
  id: GeneratedAlways<RunId>;
  update_id: UpdateId;
  project_id: ProjectId;
  purpose: Run['purpose'];
  mode: Run['mode'];
  session_id: SessionId;
  reported_session_id: SessionId | null;
  outcome: Run['outcome'];
  detail: string | null;
  cost_usd: number;
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  /** 1: it told no cost, and `cost_usd` is 0. */
  without_cost: number;
  steps: number;
  started_at: Instant;
  first_text_at: Instant | null;
  first_edit_at: Instant | null;
  finished_at: Instant | null;
};

type UpdateEventsTable = {
  update_id: UpdateId;
  seq: number;
  at: Instant;
  type: UpdateEvent['type'];
  progress: number;
  /** JSON. */
  payload: string;
};

/** Triggers refuse every change of a row. */
type ProjectAuditTable = {
  id: GeneratedAlways<number>;
  at: Instant;
  project_id: ProjectId;
  actor: AuditEntry['actor'];
  user_id: string | null;
  update_id: UpdateId | null;
  session_id: SessionId | null;
  event: AuditEntry['event'];
  reason: string | null;
};
