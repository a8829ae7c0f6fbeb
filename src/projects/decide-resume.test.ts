import { describe, expect, it } from 'vitest';
import { decideResume, type ResumeFacts, type SessionFacts } from './decide-resume.ts';
import { isHeldOut } from './holdout.ts';
import type { ResumeReason } from './resume-reason.ts';
import type { ProjectId, ProjectSessionState, UpdateId } from './terms.ts';

const HOUR = 3_600_000;

const healthy: SessionFacts = {
  state: 'active',
  isBound: true,
  isOfUser: true,
  ageMs: HOUR,
  transcript: 'there',
  isSameAgent: true,
  failures: 0,
  changedPercent: 0,
  contextTokens: 20_000,
};
const usual: ResumeFacts = {
  flag: 'on',
  requested: 'auto',
  session: healthy,
  isFirst: false,
  isHoldout: false,
  limits: {
    maxAgeMs: 24 * HOUR,
    maxFailures: 2,
    driftPercent: 40,
    maxContextTokens: 150_000,
    strictAgent: false,
    scope: 'project',
  },
};

type Change = Partial<Omit<ResumeFacts, 'limits' | 'session'>> & {
  readonly session?: Partial<SessionFacts> | null;
  readonly limits?: Partial<ResumeFacts['limits']>;
};

function facts(change: Change): ResumeFacts {
  const session = change.session === null ? null : { ...healthy, ...change.session };
  return { ...usual, ...change, session, limits: { ...usual.limits, ...change.limits } };
}

/** Each gate closed alone, in the order in which they are tried. */
const GATES: readonly (readonly [string, ResumeReason, Change])[] = [
  ['B1 the flag is off', 'flag_off', { flag: 'off' }],
  ['B2 the update asks for a fresh session', 'requested_fresh', { requested: 'never' }],
  ['the head has no session', 'no_session', { session: null }],
  ['B6 the session belongs to another project', 'binding_violation', { session: { isBound: false } }],
  [
    'B14 the session is of another user, and nobody shares one',
    'other_user',
    { session: { isOfUser: false }, limits: { scope: 'user' } },
  ],
  ['the session expired', 'expired', { session: { state: 'expired' } }],
  ['the session is lost', 'lost', { session: { state: 'lost' } }],
  ['the session is quarantined', 'quarantined', { session: { state: 'quarantined' } }],
  ['B3 the session rested too long', 'too_old', { session: { ageMs: 24 * HOUR + 1 } }],
  ['B4 the transcript is gone', 'transcript_missing', { session: { transcript: 'missing' } }],
  ['B5 the transcript ends too early', 'transcript_altered', { session: { transcript: 'altered' } }],
  [
    'B13 the agent is another one, and the policy is strict',
    'agent_changed',
    { session: { isSameAgent: false }, limits: { strictAgent: true } },
  ],
  ['B7 it failed twice', 'unhealthy', { session: { failures: 2 } }],
  ['B8 too many files have changed', 'structural_drift', { session: { changedPercent: 40.1 } }],
  ['it fills too much of the context', 'context_too_large', { session: { contextTokens: 150_001 } }],
  ['B10 it is held out', 'holdout', { isHoldout: true }],
];

describe('an update starts fresh when', () => {
  it.each(GATES)('%s: %s', (_name, reason, change) => {
    expect(decideResume(facts(change))).toMatchObject({ decision: 'fresh', reason });
  });

  it('B11 and is refused for any of these when it requires its session', () => {
    for (const [, reason, change] of GATES.filter(([, reason]) => reason !== 'requested_fresh'))
      expect(decideResume(facts({ ...change, requested: 'require' }))).toMatchObject({
        decision: 'refuse',
        reason,
      });
  });

  it('and the first gate that closes is the one that is told', () => {
    for (const [at, [, reason, change]] of GATES.entries())
      for (const [, , later] of GATES.slice(at + 1)) {
        if (later.session === null || change.session === null) continue;
        const both = facts({
          ...later,
          ...change,
          session: { ...later.session, ...change.session },
          limits: { ...later.limits, ...change.limits },
        });
        // One state, one transcript: of two that exclude each other the earlier one is left.
        expect(decideResume(both).reason).toBe(reason);
      }
  });
});

describe('an update resumes', () => {
  it('a session with nothing against it', () => {
    expect(decideResume(usual)).toEqual({ decision: 'resume', reason: 'ok', arm: 'resume', ends: null });
  });

  it.each<[string, Change]>([
    ['B9 of a restored version', { session: { state: 'superseded' } }],
    ['B13 with another agent where the policy is lenient', { session: { isSameAgent: false } }],
    ['B14 of another user where a project shares one', { session: { isOfUser: false } }],
    ['after any drift where nobody minds', { session: { changedPercent: 100 }, limits: { driftPercent: 0 } }],
    ['at exactly the oldest age', { session: { ageMs: 24 * HOUR } }],
    ['whose context is not known', { session: { contextTokens: null } }],
    ['that is required', { requested: 'require' }],
  ])('a session %s', (_name, change) => {
    expect(decideResume(facts(change))).toMatchObject({ decision: 'resume', reason: 'ok' });
  });
});

describe('what is found out about a session', () => {
  it.each<[ResumeReason, string | null, Partial<SessionFacts>]>([
    ['binding_violation', 'quarantined', { isBound: false }],
    ['transcript_missing', 'lost', { transcript: 'missing' }],
    ['transcript_altered', 'quarantined', { transcript: 'altered' }],
    ['unhealthy', 'quarantined', { failures: 3 }],
    ['too_old', null, { ageMs: 25 * HOUR }],
    ['structural_drift', null, { changedPercent: 90 }],
  ])('%s ends it as %s', (reason, ends, session) => {
    expect(decideResume(facts({ session }))).toMatchObject({ reason, ends });
  });

  it.each<[ProjectSessionState, ResumeReason]>([
    ['provisional', 'no_session'],
    ['deleted', 'lost'],
  ])('a %s one counts as %s', (state, reason) => {
    expect(decideResume(facts({ session: { state } })).reason).toBe(reason);
  });

  it('a first update that requires a session starts without one', () => {
    expect(decideResume(facts({ session: null, isFirst: true, requested: 'require' }))).toMatchObject({
      decision: 'fresh',
      reason: 'no_session',
    });
  });
});

describe('the holdout', () => {
  const project = 'p-1' as ProjectId;
  const ids = Array.from({ length: 2_000 }, (_, index) => (index + 1) as UpdateId);

  it('is nobody at 0 and everybody at 100', () => {
    expect(ids.some((id) => isHeldOut(project, id, 0))).toBe(false);
    expect(ids.every((id) => isHeldOut(project, id, 100))).toBe(true);
  });

  it('is about the share that was asked for, and the same updates each time', () => {
    const heldOut = ids.filter((id) => isHeldOut(project, id, 10));
    expect(heldOut.length).toBeGreaterThan(140);
    expect(heldOut.length).toBeLessThan(260);
    expect(ids.filter((id) => isHeldOut(project, id, 10))).toEqual(heldOut);
  });
});
