import type { ProjectState, VersionNo } from '../../projects/projects.ts';

/** Updates of one project that wait at most. */
export const MOST_WAITING = 20;

export type EnqueueFacts = {
  /** An update with this key: of the same request, or of another one. */
  readonly known: 'same' | 'other' | null;
  /** Null: there is no such project. */
  readonly state: ProjectState | null;
  readonly waiting: number;
  /** Updates that may still make a version before this one is claimed. */
  readonly ahead: number;
  /** 0: none yet. */
  readonly head: VersionNo;
  readonly expected: VersionNo | null;
};

/** What becomes of a new update. The head may come to be what is expected while the update waits, so only what cannot come true any more is refused. */
export function decideEnqueue({
  known,
  state,
  waiting,
  ahead,
  head,
  expected,
}: EnqueueFacts):
  | 'known'
  | 'conflict'
  | 'unknown_project'
  | 'frozen'
  | 'full'
  | 'version_mismatch'
  | 'queued' {
  if (known !== null) return known === 'same' ? 'known' : 'conflict';
  if (state === null || state === 'deleting') return 'unknown_project';
  if (state === 'frozen') return 'frozen';
  if (waiting >= MOST_WAITING) return 'full';
  if (expected !== null && (expected < head || expected > head + ahead)) return 'version_mismatch';
  return 'queued';
}
