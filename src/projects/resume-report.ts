import { type Interval, medianDifference, medianOf } from './medians.ts';
import type { ResumeSample } from './project-store.ts';

/** Fewer updates than this in an arm say nothing. */
export const LEAST_SAMPLES = 20;

/** How resuming fared in a time: shares with their counts, and the two arms side by side. */
export type ResumeReport = {
  readonly updates: number;
  /** Decided to resume, and a process was started. */
  readonly attempted: number;
  /** The resumed run answered, on a session that descends from its parent. */
  readonly accepted: number;
  /** Accepted, and the update completed without falling back. */
  readonly useful: number;
  readonly fellBack: number;
  readonly failed: number;
  /** Updates that were decided fresh, by reason; they are no failures of resuming. */
  readonly freshBy: Readonly<Partial<Record<string, number>>>;
  readonly resume: ResumeArm;
  readonly holdout: ResumeArm;
  /** Median of the holdout minus median of the resume arm, fallbacks included. Negative: resuming costs more. */
  readonly saved:
    | {
        readonly kind: 'measured';
        readonly costUsd: Interval | null;
        readonly timeMs: Interval | null;
      }
    | { readonly kind: 'insufficient data'; readonly needed: number };
};

export type ResumeArm = {
  readonly count: number;
  /** Left out of the medians of cost. */
  readonly withoutCost: number;
  readonly medianCostUsd: number | null;
  readonly medianTokens: number | null;
  /** Claimed → committed. */
  readonly medianToCommitMs: number | null;
  readonly fixTurns: number;
  readonly restoredAway: number;
};

/** Pure. What an update cost is all that its runs did, failed resumes and compactions too. */
export function reportResumes(samples: readonly ResumeSample[]): ResumeReport {
  const resumed = samples.filter(({ decision }) => decision === 'resume');
  const attempted = resumed.filter(({ outcome }) => outcome !== null && outcome !== 'not-attempted');
  const accepted = resumed.filter(({ outcome }) => outcome === 'accepted');
  return {
    updates: samples.length,
    attempted: attempted.length,
    accepted: accepted.length,
    useful: accepted.filter(({ status }) => status === 'completed').length,
    fellBack: resumed.filter(({ outcome }) => outcome === 'fell-back').length,
    failed: resumed.filter(({ outcome }) => outcome === 'failed').length,
    freshBy: countFresh(samples),
    resume: armOf(inArm(samples, 'resume')),
    holdout: armOf(inArm(samples, 'holdout')),
    saved: savedBy(inArm(samples, 'resume'), inArm(samples, 'holdout')),
  };
}

function countFresh(samples: readonly ResumeSample[]): ResumeReport['freshBy'] {
  const counts: Record<string, number> = {};
  for (const { decision, reason } of samples) {
    if (decision === 'fresh' && reason !== null) counts[reason] = (counts[reason] ?? 0) + 1;
  }
  return counts;
}

function inArm(samples: readonly ResumeSample[], arm: 'resume' | 'holdout'): readonly ResumeSample[] {
  return samples.filter((sample) => sample.arm === arm);
}

/** Medians are of updates that completed: one that failed early was cheap and worth nothing. */
function armOf(samples: readonly ResumeSample[]): ResumeArm {
  const completed = samples.filter(({ status }) => status === 'completed');
  return {
    count: samples.length,
    withoutCost: samples.filter(({ costUsd }) => costUsd === null).length,
    medianCostUsd: medianOf(costsOf(completed)),
    medianTokens: medianOf(completed.map(({ tokens }) => tokens)),
    medianToCommitMs: medianOf(timesOf(completed)),
    fixTurns: sum(samples.map(({ fixTurns }) => fixTurns)),
    restoredAway: samples.filter(({ restoredAway }) => restoredAway).length,
  };
}

function savedBy(resume: readonly ResumeSample[], holdout: readonly ResumeSample[]): ResumeReport['saved'] {
  const [resumed, heldOut] = [resume, holdout].map((arm) =>
    arm.filter(({ status }) => status === 'completed'),
  );
  if (resumed === undefined || heldOut === undefined || !isEnough(resumed) || !isEnough(heldOut))
    return { kind: 'insufficient data', needed: LEAST_SAMPLES };
  const compare = (of: (arm: readonly ResumeSample[]) => readonly number[]): Interval | null => {
    const [ours, theirs] = [of(resumed), of(heldOut)];
    return isEnough(ours) && isEnough(theirs) ? medianDifference(theirs, ours) : null;
  };
  return { kind: 'measured', costUsd: compare(costsOf), timeMs: compare(timesOf) };
}

function isEnough(some: readonly unknown[]): boolean {
  return some.length >= LEAST_SAMPLES;
}

function costsOf(samples: readonly ResumeSample[]): readonly number[] {
  return samples.flatMap(({ costUsd }) => costUsd ?? []);
}

function timesOf(samples: readonly ResumeSample[]): readonly number[] {
  return samples.flatMap(({ committedAt, startedAt }) =>
    committedAt === null ? [] : committedAt - startedAt,
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

export type { Interval } from './medians.ts';
