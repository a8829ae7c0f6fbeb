import type { UpdateErrorCode } from '../../projects/projects.ts';

/**
 * Why an update failed, as people read it; `docs/errors.md` lists them. `retryable`: the same request may well work
 * later, and nothing of the project stands in its way.
 */
export const UPDATE_ERRORS: Readonly<
  Record<UpdateErrorCode, { readonly title: string; readonly retryable: boolean }>
> = {
  session_unavailable: {
    title: 'The session had to be resumed and could not be; nothing was tried.',
    retryable: false,
  },
  version_mismatch: { title: 'Another version came first; nothing was tried.', retryable: false },
  unknown_version: { title: 'The version to restore does not exist.', retryable: false },
  access_revoked: { title: 'The user may not change the project any more.', retryable: false },
  agent_failed: { title: 'The agent ended without a result.', retryable: true },
  agent_timeout: { title: 'The agent took too long.', retryable: true },
  agent_stuck: { title: 'The agent did nothing for too long.', retryable: true },
  agent_refused_by_provider: { title: 'The model endpoint refused the request.', retryable: true },
  steps_used_up: { title: 'The agent needed more steps than the policy allows.', retryable: false },
  budget_exceeded: { title: 'The update would have cost more than the policy allows.', retryable: false },
  verify_failed: { title: 'What was edited did not pass the checks.', retryable: false },
  disk_full: { title: 'The disk is full; the project is frozen.', retryable: true },
  repository_broken: { title: 'The repository of the project is broken; it is frozen.', retryable: false },
  worker_crash_loop: { title: 'The server ended in the middle of it too often.', retryable: false },
  internal_error: { title: 'The server failed.', retryable: true },
};
