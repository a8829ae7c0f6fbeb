import { expect, test } from 'vitest';
import { decideEnqueue, type EnqueueFacts, MOST_WAITING } from './decide-enqueue.ts';

const FACTS: EnqueueFacts = { known: null, state: 'active', waiting: 0, ahead: 0, head: 3, expected: null };

test.each<[string, Partial<EnqueueFacts>, ReturnType<typeof decideEnqueue>]>([
  ['an update is queued', {}, 'queued'],
  ['its key is known, whatever else has changed', { known: 'same', state: 'frozen', waiting: 20 }, 'known'],
  ['its key was used for another request', { known: 'other' }, 'conflict'],
  ['there is no project', { state: null }, 'unknown_project'],
  ['the project is being deleted', { state: 'deleting' }, 'unknown_project'],
  ['the project is frozen', { state: 'frozen' }, 'frozen'],
  ['one more may wait', { waiting: MOST_WAITING - 1 }, 'queued'],
  ['as many wait as may', { waiting: MOST_WAITING }, 'full'],
  ['the head is what is expected', { expected: 3 }, 'queued'],
  [
    'the head is what is expected, and others are ahead that may change nothing',
    { expected: 3, ahead: 2 },
    'queued',
  ],
  ['the head is past it', { expected: 2 }, 'version_mismatch'],
  ['those ahead may bring it', { expected: 5, ahead: 2 }, 'queued'],
  ['those ahead cannot bring it', { expected: 6, ahead: 2 }, 'version_mismatch'],
  ['no version yet, and none expected', { head: 0, expected: 0 }, 'queued'],
])('%s', (_, facts, outcome) => {
  expect(decideEnqueue({ ...FACTS, ...facts })).toBe(outcome);
});
