import { describe, expect, it } from 'vitest';
import { medianOf } from './medians.ts';
import type { ResumeSample } from './project-store.ts';
import { reportResumes } from './resume-report.ts';

const resumed: ResumeSample = {
  decision: 'resume',
  reason: 'ok',
  outcome: 'accepted',
  arm: 'resume',
  status: 'completed',
  costUsd: 0.1,
  tokens: 1_000,
  startedAt: 0,
  committedAt: 60_000,
  fixTurns: 0,
  restoredAway: false,
};
const heldOut: ResumeSample = {
  ...resumed,
  decision: 'fresh',
  reason: 'holdout',
  outcome: 'not-attempted',
  arm: 'holdout',
};
const flagOff: ResumeSample = { ...heldOut, reason: 'flag_off', arm: null };
const many = (count: number, sample: ResumeSample) => Array.from({ length: count }, () => sample);
const costing = (sample: ResumeSample, costs: readonly number[]) =>
  costs.map((costUsd) => ({ ...sample, costUsd }));
const spread = (from: number) => Array.from({ length: 30 }, (_, index) => from + index / 1_000);

describe('the resume report', () => {
  it('I1 counts a mix as one would by hand', () => {
    const report = reportResumes([
      ...many(60, resumed),
      ...many(2, { ...resumed, outcome: 'fell-back', fixTurns: 1 }),
      { ...resumed, outcome: 'failed', status: 'failed', committedAt: null },
      ...many(10, heldOut),
      ...many(5, flagOff),
    ]);
    expect(report).toMatchObject({
      updates: 78,
      attempted: 63,
      accepted: 60,
      useful: 60,
      fellBack: 2,
      failed: 1,
      freshBy: { holdout: 10, flag_off: 5 },
      resume: { count: 63, fixTurns: 2, medianCostUsd: 0.1, medianToCommitMs: 60_000 },
      holdout: { count: 10 },
    });
  });

  it('I2 says that resuming saved when it did, with an interval', () => {
    const { saved } = reportResumes([...costing(resumed, spread(0.1)), ...costing(heldOut, spread(0.3))]);
    expect(saved).toMatchObject({ kind: 'measured', costUsd: { median: expect.closeTo(0.2) } });
    const cost = saved.kind === 'measured' ? saved.costUsd : null;
    expect(cost?.low).toBeGreaterThan(0.18);
    expect(cost?.high).toBeLessThan(0.22);
  });

  it('I2 says that resuming cost more when it did', () => {
    const { saved } = reportResumes([...costing(resumed, spread(0.3)), ...costing(heldOut, spread(0.1))]);
    expect(saved).toMatchObject({ costUsd: { median: expect.closeTo(-0.2) } });
    expect(saved.kind === 'measured' && saved.costUsd?.high).toBeLessThan(0);
  });

  it('I3 says nothing about fewer than twenty in an arm', () => {
    const { saved } = reportResumes([...many(100, resumed), ...many(19, heldOut)]);
    expect(saved).toEqual({ kind: 'insufficient data', needed: 20 });
  });

  it('I4 leaves runs without a cost out of the medians, and shows how many there were', () => {
    const report = reportResumes([
      ...many(21, resumed),
      ...many(5, { ...resumed, costUsd: null }),
      ...many(25, heldOut),
    ]);
    expect(report.resume).toMatchObject({ count: 26, withoutCost: 5, medianCostUsd: 0.1 });
    const tooFew = reportResumes([
      ...many(19, resumed),
      ...many(5, { ...resumed, costUsd: null }),
      ...many(25, heldOut),
    ]);
    expect(tooFew.saved).toMatchObject({ kind: 'measured', costUsd: null });
  });

  it('I8 has the updates that fell back in the arm that resumed, with all that they took', () => {
    const dear = { ...resumed, outcome: 'fell-back', costUsd: 0.9 } as const;
    const report = reportResumes([...many(12, resumed), ...many(13, dear), ...many(25, heldOut)]);
    expect(report.resume.medianCostUsd).toBe(0.9);
  });

  it('says the same of the same updates each time', () => {
    const samples = [...costing(resumed, spread(0.1)), ...costing(heldOut, spread(0.12))];
    expect(reportResumes(samples)).toEqual(reportResumes(samples));
  });
});

describe('a median', () => {
  it('is the middle, or between the two in the middle', () => {
    expect([medianOf([3, 1, 2]), medianOf([4, 1, 2, 3]), medianOf([])]).toEqual([2, 2.5, null]);
  });
});
