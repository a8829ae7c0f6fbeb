import { describe, expect, it } from 'vitest';
import type { SessionId } from '../base/terms.ts';
import { type ContinueFacts, decideContinue, decideOptional } from './decide-continue.ts';
import type { Step } from './project-store.ts';
import type { CommitId, StepKind, TreeId } from './terms.ts';

const base = 'c0' as CommitId;
const tree = 't1' as TreeId;
const session = 'e1' as SessionId;

function step(kind: StepKind, state: Step['state'], attempt = 1): Step {
  const done = kind === 'edit' && state === 'succeeded';
  return {
    kind,
    state,
    attempt,
    inputSession: null,
    outputSession: done ? session : null,
    checkpoint: done ? { base, tree } : { base },
  };
}

function decide(steps: readonly Step[], change: Partial<ContinueFacts> = {}) {
  const step = steps.at(-1)?.kind ?? null;
  return decideContinue({ kind: 'update', attempt: 2, step, steps, openEdit: 'none', ...change });
}

const prepared = step('prepare', 'succeeded');
const edited = step('edit', 'succeeded');
const edit = { base, tree, session };

describe('an update whose server died goes on', () => {
  it.each<[string, readonly Step[], object]>([
    ['C2 from the beginning after its claim', [], { at: 'prepare', reset: null }],
    [
      'C3 from the beginning in the midst of preparing',
      [step('prepare', 'running')],
      { at: 'prepare', reset: null },
    ],
    ['C3 from the beginning once prepared', [prepared], { at: 'prepare', reset: null }],
    [
      'C4, C5 from the beginning in mid-edit, after a reset',
      [prepared, step('edit', 'running')],
      { at: 'prepare', reset: { commit: base } },
    ],
    [
      'from the beginning after an edit that was given up',
      [prepared, step('edit', 'failed')],
      { at: 'prepare', reset: { commit: base } },
    ],
    ['C7 by verifying once the edit is known', [prepared, edited], { at: 'verify', edit }],
    ['C7 by verifying again', [prepared, edited, step('verify', 'running')], { at: 'verify', edit }],
    [
      'after a failed fix by verifying again',
      [prepared, edited, step('verify', 'interrupted')],
      { at: 'verify', edit },
    ],
    [
      'with the commit once verified',
      [prepared, edited, step('verify', 'succeeded')],
      { at: 'commit', edit },
    ],
    [
      'with the commit where nothing could verify',
      [prepared, edited, step('verify', 'skipped')],
      { at: 'commit', edit },
    ],
    ['C8 with the same commit', [prepared, edited, step('commit', 'running')], { at: 'commit', edit }],
    [
      'by what the last attempt left, not the ones before',
      [prepared, edited, prepared, step('edit', 'running', 2)],
      { at: 'prepare', reset: { commit: base } },
    ],
  ])('%s', (_name, steps, expected) => {
    expect(decide(steps)).toEqual(expected);
  });

  it('C6 with the tree as it is when its agent had finished', () => {
    const steps = [prepared, step('edit', 'running')];
    expect(decide(steps, { openEdit: 'answered' })).toEqual({ at: 'take-edit', base });
    expect(decide(steps, { openEdit: 'unfinished' })).toMatchObject({ at: 'prepare' });
  });

  it('D20 never, once every attempt took its server down', () => {
    expect(decide([], { attempt: 4 })).toEqual({ at: 'give-up', reset: null });
    expect(decide([prepared, step('edit', 'running', 3)], { attempt: 4, openEdit: 'answered' })).toEqual({
      at: 'give-up',
      reset: { commit: base },
    });
    expect(decide([prepared, edited], { attempt: 4 })).toEqual({ at: 'give-up', reset: { commit: base } });
  });

  it('without a reset once it was put back and waited, or was preparing again', () => {
    const waited = [prepared, step('edit', 'interrupted')];
    expect(decide(waited, { step: 'prepare' })).toEqual({ at: 'prepare', reset: null });
    expect(decide(waited)).toEqual({ at: 'prepare', reset: { commit: base } });
  });

  it('with no files at all where the project had none', () => {
    const first = { ...step('edit', 'running'), checkpoint: {} };
    expect(decide([first])).toEqual({ at: 'prepare', reset: { commit: null } });
  });
});

describe('an optional step of a committed update', () => {
  const left = (kind: StepKind, state: Step['state']) => [step(kind, state)];

  it('runs when it has not', () => {
    expect(decideOptional('compact', { steps: [edited], runs: 0 })).toBe('run');
  });

  it.each(['succeeded', 'failed', 'skipped'] as const)('is done when it %s', (state) => {
    expect(decideOptional('document', { steps: left('document', state), runs: 1 })).toBe('done');
  });

  it('C10 is tried once more when it was to recommend', () => {
    expect(decideOptional('recommend', { steps: left('recommend', 'running'), runs: 1 })).toBe('run');
    expect(decideOptional('recommend', { steps: left('recommend', 'running'), runs: 2 })).toBe('give-up');
  });

  it.each(['document', 'compact'] as const)('C11 is given up when it was to %s', (kind) => {
    expect(decideOptional(kind, { steps: left(kind, 'running'), runs: 1 })).toBe('give-up');
    expect(decideOptional(kind, { steps: left(kind, 'interrupted'), runs: 1 })).toBe('give-up');
  });
});
