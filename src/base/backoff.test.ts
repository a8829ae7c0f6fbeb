import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';

const limits = { firstMs: 1_000, mostMs: 30_000 };

describe('backoffMs', () => {
  it.each([
    ['the first repeat', 1, 500, 1_000],
    ['the second', 2, 1_000, 2_000],
    ['the third', 3, 2_000, 4_000],
    ['the last before the ceiling', 5, 8_000, 16_000],
    ['the first at the ceiling', 6, 15_000, 30_000],
    ['a very late one', 5_000, 15_000, 30_000],
    ['attempt zero, as the first', 0, 500, 1_000],
    ['a negative attempt, as the first', -3, 500, 1_000],
  ])('waits for %s between half of its ceiling and all of it', (_name, attempt, least, most) => {
    expect(backoffMs(attempt, limits, () => 0)).toBe(least);
    expect(backoffMs(attempt, limits, () => 1)).toBe(most);
  });

  it('is a whole number within its bounds, whatever the attempt and the chance', () => {
    const attempts = fc.integer({ min: -10, max: 100_000 });
    const chances = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(attempts, chances, (attempt, chance) => {
        const waitMs = backoffMs(attempt, limits, () => chance);
        expect(Number.isInteger(waitMs)).toBe(true);
        expect(waitMs).toBeGreaterThanOrEqual(limits.firstMs / 2);
        expect(waitMs).toBeLessThanOrEqual(limits.mostMs);
      }),
    );
  });

  it('never waits longer than the most, even where the first would', () => {
    expect(backoffMs(1, { firstMs: 1_000, mostMs: 200 }, () => 1)).toBe(200);
  });
});
