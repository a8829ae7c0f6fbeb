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

/** With a bootstrap interval of 95 %. */
export type Interval = { readonly median: number; readonly low: number; readonly high: number };

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

export function reportResumes(_samples: readonly ResumeSample[]): ResumeReport {
  throw new Error('not written yet');
}
