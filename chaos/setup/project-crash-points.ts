/** Where a server may die between the queueing of an update and its end: at a call of the store's or of git's. */
export type ProjectCrashPoint = {
  /** Of the scenario that it belongs to, and what has just happened. */
  readonly name: string;
  /**
   * A write of an update's transaction, such as `steps.end edit`, or a call of a port, such as `git.publish`. Counting
   * begins when the update is claimed, or, for `queue.enqueue` and `queue.claim`, with itself.
   */
  readonly call: string;
  /**
   * `before`: it is not made. `within`: of a write, its transaction is not committed. `after`: it is done, and nobody
   * was told. `soon-after`: what it led to has begun.
   */
  readonly when: 'before' | 'within' | 'after' | 'soon-after';
  /** 1: the first such call. */
  readonly nth: number;
  readonly kind: 'update' | 'restore' | 'compact';
  readonly expected: Expected;
};

/** How the update ends that was hit once. */
export type Expected = {
  readonly attempt: number;
  /** Agent processes that edited. */
  readonly edits: number;
  /** Must be among what it was degraded by, or nothing of the kind. */
  readonly degraded: string | null;
};

const FIRST_TRY: Expected = { attempt: 1, edits: 1, degraded: null };
const EDITED: Expected = { attempt: 2, edits: 1, degraded: null };
const EDITED_AGAIN: Expected = { attempt: 2, edits: 2, degraded: null };

function at(
  name: string,
  when: ProjectCrashPoint['when'],
  call: string,
  expected: Expected,
  more: Partial<ProjectCrashPoint> = {},
): ProjectCrashPoint {
  return { name, when, call, expected, nth: 1, kind: 'update', ...more };
}

const RESTORED: Expected = { attempt: 2, edits: 0, degraded: null };
const restore = { kind: 'restore' } as const;
const again = (what: string): Expected => ({ ...FIRST_TRY, degraded: what });

/** In the order in which an update meets them. */
export const PROJECT_CRASH_POINTS: readonly ProjectCrashPoint[] = [
  at('D0 before it is queued', 'before', 'queue.enqueue', FIRST_TRY),
  at('D1 queued, and nobody was told', 'after', 'queue.enqueue', FIRST_TRY),
  at('D2 before its claim', 'before', 'queue.claim', FIRST_TRY),
  at('D2 claimed', 'after', 'queue.claim', EDITED),
  at('D3 while it prepares', 'after', 'steps.begin prepare', EDITED),
  at('D3 while its files are read', 'after', 'git.readWork', EDITED),
  at('D3 prepared', 'after', 'steps.end prepare', EDITED),
  at('D4 before its run is written', 'within', 'runs.begin', EDITED),
  at('D4 with its run written and no process', 'after', 'runs.begin', EDITED_AGAIN),
  at('D4 with its process started', 'after', 'agents.started', EDITED_AGAIN),
  at('D5 while it edits', 'after', 'events.add agent.tool', EDITED_AGAIN),
  at('D6 with its agent done, before its files are read', 'before', 'git.readWork', EDITED, { nth: 2 }),
  at('D6 with its agent done and nothing written', 'within', 'steps.end edit', EDITED),
  at('D7 once edited', 'after', 'steps.end edit', EDITED),
  at('D7 with its commands begun', 'soon-after', 'steps.begin verify', EDITED),
  at('D7 once verified', 'within', 'steps.end verify', EDITED),
  at('D7 before it is committed', 'after', 'steps.end verify', EDITED),
  at('D8 before its commit is made', 'after', 'steps.begin commit', EDITED),
  at('D8 with a commit that nothing points at', 'after', 'git.commit', EDITED),
  at('D8 with a version that is not committed', 'within', 'versions.add', EDITED),
  at('D9 with a version that git does not know', 'after', 'versions.add', FIRST_TRY),
  at('D9 before the branch moves', 'before', 'git.publish', FIRST_TRY),
  at('D9 with the branch moved', 'after', 'git.publish', FIRST_TRY),
  at('D10 with its recommendations begun', 'after', 'agents.started', FIRST_TRY, { nth: 2 }),
  at('D10 with its recommendations not written', 'within', 'steps.end recommend', FIRST_TRY),
  at('D10 with its documentation begun', 'after', 'steps.begin document', again('documentation_failed')),
  at('D10 with its documentation not written', 'within', 'steps.end document', again('documentation_failed')),
  at('D11 while it is shortened', 'after', 'steps.begin compact', again('compaction_failed')),
  at('D12 shortened, with the head where it was', 'within', 'head.move', again('compaction_failed'), {
    nth: 2,
  }),
  at('D12 shortened, with the head moved', 'after', 'steps.end compact', FIRST_TRY),
  at('D13 before its end', 'within', 'update.end', FIRST_TRY),
  at('D14 ended, and nobody was told', 'after', 'update.end', FIRST_TRY),
  at('D14 before its lease is given up', 'before', 'queue.release', FIRST_TRY),
  at('D24 restoring, with a commit that nothing points at', 'after', 'git.commit', RESTORED, restore),
  at('D24 restoring, with a version that is not committed', 'within', 'versions.add', RESTORED, restore),
  at('D24 restored, with files that are not', 'after', 'versions.add', { ...RESTORED, attempt: 1 }, restore),
  at('D24 restored, with the branch moved', 'after', 'git.publish', { ...RESTORED, attempt: 1 }, restore),
];

/** Where the server that recovers may die, in its turn. */
export const RECOVERY_POINTS: readonly ProjectCrashPoint[] = [
  at('D18 claimed again', 'after', 'queue.claim', EDITED),
  at('D18 before what was left is put back', 'before', 'git.resetWork', EDITED),
  at('D18 with what was left put back', 'after', 'git.resetWork', EDITED),
  at('D18 before what was left is ended', 'within', 'steps.interrupt', EDITED),
  at('D18 with what was left ended', 'after', 'steps.interrupt', EDITED),
];

export function crashPoint(name: string): ProjectCrashPoint {
  const found = [...PROJECT_CRASH_POINTS, ...RECOVERY_POINTS].find((point) => point.name === name);
  if (found === undefined) throw new Error(`there is no point ${name}`);
  return found;
}
