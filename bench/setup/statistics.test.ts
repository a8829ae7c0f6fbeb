import { expect, test } from 'vitest';
import { median, quantile, summarize } from './statistics.ts';

const upTo = (most: number) => Array.from({ length: most }, (_, index) => most - index);

test('a median stands in the middle, whatever the order', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([7])).toBe(7);
});

test('a percentile is a value that was measured', () => {
  const sorted = upTo(200).reverse();
  expect(quantile(sorted, 0.95)).toBe(190);
  expect(quantile(sorted, 0.99)).toBe(198);
  expect(quantile(sorted, 0)).toBe(1);
  expect(quantile(sorted, 1)).toBe(200);
});

test('a 99th percentile is not told of a few measurements', () => {
  expect(summarize(upTo(99)).p99).toBeNull();
  expect(summarize(upTo(100))).toEqual({ n: 100, p50: 50.5, p95: 95, p99: 99, least: 1, most: 100 });
});

test('nothing measured is no result', () => {
  expect(() => summarize([])).toThrow('nothing was measured');
});
