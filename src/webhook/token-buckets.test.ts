import { expect, it } from 'vitest';
import { makeTokenBuckets } from './token-buckets.ts';

/** How many are taken before the bucket is empty. */
function drain(buckets: ReturnType<typeof makeTokenBuckets>, key: string, now: number): number {
  let taken = 0;
  while (!buckets.isEmpty(key, now) && taken < 1_000) {
    buckets.take(key, now);
    taken += 1;
  }
  return taken;
}

it('a bucket holds a minute of tokens and fills again bit by bit', () => {
  const buckets = makeTokenBuckets(30, 100);
  expect(drain(buckets, 'a', 0)).toBe(30);
  expect(drain(buckets, 'a', 1_999)).toBe(0);
  expect(drain(buckets, 'a', 2_000)).toBe(1);
  expect(drain(buckets, 'a', 62_000)).toBe(30);
  expect(drain(buckets, 'a', 3_600_000)).toBe(30);
});

it('each key has its own', () => {
  const buckets = makeTokenBuckets(30, 100);
  drain(buckets, 'a', 0);
  expect(buckets.isEmpty('a', 0)).toBe(true);
  expect(drain(buckets, 'b', 0)).toBe(30);
});

it('an empty one gives nothing, and a clock that is set back fills nothing', () => {
  const buckets = makeTokenBuckets(2, 100);
  drain(buckets, 'a', 100_000);
  buckets.take('a', 100_000);
  expect(buckets.isEmpty('a', 40_000)).toBe(true);
});

it('takes back what it gave for nothing, and never holds more than a minute', () => {
  const buckets = makeTokenBuckets(2, 100);
  drain(buckets, 'a', 0);
  buckets.giveBack('a', 0);
  expect(drain(buckets, 'a', 0)).toBe(1);
  buckets.giveBack('b', 0);
  expect(drain(buckets, 'b', 0)).toBe(2);
});

it('keeps no more keys than it may: those that were used last', () => {
  const buckets = makeTokenBuckets(1, 3);
  for (const key of ['a', 'b', 'c', 'd']) buckets.take(key, 0);
  expect(['a', 'b', 'c', 'd'].map((key) => buckets.isEmpty(key, 0))).toEqual([false, true, true, true]);
});
