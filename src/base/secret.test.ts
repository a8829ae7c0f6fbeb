import { expect, it } from 'vitest';
import { watchComparisons } from '../../test/fixtures/watch-comparisons.ts';
import { makeSecretMatcher } from './secret.ts';

it.each([
  ['the secret', 's3cret', true],
  ['its beginning', 's3cre', false],
  ['more than it', 's3crets', false],
  ['nothing', '', false],
  ['another of its length', 's3creT', false],
])('%s', (_name, given, expected) => {
  expect(makeSecretMatcher('s3cret')(given)).toBe(expected);
});

it('takes as long for a wrong beginning, another length or nothing as for the secret', () => {
  const compare = watchComparisons();
  const matches = makeSecretMatcher('s3cret');
  for (const given of ['s3cret', 'x', '', 's3cret and much more'.repeat(100)]) matches(given);
  expect(compare).toHaveBeenCalledTimes(4);
  const lengths = compare.mock.calls.flatMap(([one, other]) => [one.byteLength, other.byteLength]);
  expect(new Set(lengths)).toEqual(new Set([32]));
});
