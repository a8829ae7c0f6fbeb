import type { ResumeReason } from './resume-reason.ts';
import type { ProjectSessionState, ResumePolicy } from './terms.ts';

/** Everything that speaks for or against going on in the head's session, as things stand when an update is claimed. */
export type ResumeFacts = {
  /** `PROJECT_RESUME` and the project's own flag. */
  readonly flag: 'on' | 'off';
  readonly requested: ResumePolicy;
  /** Null: the head has none. */
  readonly session: SessionFacts | null;
  /** The first update of a project has nothing to resume, which is nobody's loss. */
  readonly isFirst: boolean;
  /** This update's run is one of those that resuming is compared with. */
  readonly isHoldout: boolean;
  readonly limits: {
    readonly maxAgeMs: number;
    readonly maxFailures: number;
    /** Above this percentage of changed files; 0: never mind. */
    readonly driftPercent: number;
    readonly maxContextTokens: number;
    readonly strictAgent: boolean;
    readonly scope: 'project' | 'user';
  };
};

export type SessionFacts = {
  readonly state: ProjectSessionState;
  /** It belongs to this project. */
  readonly isBound: boolean;
  /** Whoever began it asks for this update too. */
  readonly isOfUser: boolean;
  readonly ageMs: number;
  readonly transcript: 'there' | 'missing' | 'altered';
  /** The same version of the agent and the same model as would run now. */
  readonly isSameAgent: boolean;
  readonly failures: number;
  /** Of the files that the project tracks, those that changed since it saw them, in percent. */
  readonly changedPercent: number;
  readonly contextTokens: number | null;
};

export type ResumeDecision = {
  /** `refuse`: the update wants this session or none. */
  readonly decision: 'resume' | 'fresh' | 'refuse';
  readonly reason: ResumeReason;
  /** Null where something else than chance decided. */
  readonly arm: 'resume' | 'holdout' | null;
  /** How the head's session ends by what was found out about it. */
  readonly ends: 'lost' | 'quarantined' | null;
};

/** Pure: the gates in their order; the first that closes decides. */
export function decideResume(facts: ResumeFacts): ResumeDecision {
  const reason = findReason(facts);
  if (reason === 'ok') return { decision: 'resume', reason, arm: 'resume', ends: null };
  const isRefused = facts.requested === 'require' && !(reason === 'no_session' && facts.isFirst);
  return {
    decision: isRefused ? 'refuse' : 'fresh',
    reason,
    arm: reason === 'holdout' ? 'holdout' : null,
    ends: ENDS[reason] ?? null,
  };
}

/** Reasons that hold for every later update too. */
const ENDS: Partial<Record<ResumeReason, 'lost' | 'quarantined'>> = {
  binding_violation: 'quarantined',
  transcript_missing: 'lost',
  transcript_altered: 'quarantined',
  unhealthy: 'quarantined',
};

function findReason({ flag, requested, session, isHoldout, limits }: ResumeFacts): ResumeReason {
  if (flag === 'off') return 'flag_off';
  if (requested === 'never') return 'requested_fresh';
  if (session === null) return 'no_session';
  return findFault(session, limits) ?? (isHoldout ? 'holdout' : 'ok');
}

function findFault(session: SessionFacts, limits: ResumeFacts['limits']): ResumeReason | null {
  if (!session.isBound) return 'binding_violation';
  if (limits.scope === 'user' && !session.isOfUser) return 'other_user';
  const state = reasonOf(session.state);
  if (state !== null) return state;
  if (session.ageMs > limits.maxAgeMs) return 'too_old';
  if (session.transcript !== 'there') return `transcript_${session.transcript}`;
  if (limits.strictAgent && !session.isSameAgent) return 'agent_changed';
  if (session.failures >= limits.maxFailures) return 'unhealthy';
  if (limits.driftPercent > 0 && session.changedPercent > limits.driftPercent) return 'structural_drift';
  return (session.contextTokens ?? 0) > limits.maxContextTokens ? 'context_too_large' : null;
}

/** A superseded session is as good as an active one: a restored version goes on from its own. */
function reasonOf(state: ProjectSessionState): ResumeReason | null {
  switch (state) {
    case 'active':
    case 'superseded':
      return null;
    case 'provisional':
      return 'no_session';
    case 'deleted':
      return 'lost';
    default:
      return state;
  }
}
