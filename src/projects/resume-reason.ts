/** Why an update's session was resumed or not, in the order in which the gates are tried. */
export type ResumeReason =
  | 'flag_off'
  | 'requested_fresh'
  | 'no_session'
  | 'binding_violation'
  | 'other_user'
  | 'expired'
  | 'lost'
  | 'quarantined'
  | 'too_old'
  | 'transcript_missing'
  | 'transcript_altered'
  | 'agent_changed'
  | 'unhealthy'
  | 'structural_drift'
  | 'context_too_large'
  | 'holdout'
  | 'ok';
