/** With a bootstrap interval of 95 %. */
export type Interval = { readonly median: number; readonly low: number; readonly high: number };

const RESAMPLES = 1_000;
/** The same numbers give the same interval each time that they are asked for. */
const SEED = 20_240_601;

export function medianOf(values: readonly number[]): number | null {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)];
  const lower = sorted[Math.ceil(middle) - 1];
  return upper === undefined || lower === undefined ? null : (lower + upper) / 2;
}

/** Median of `some` minus median of `others`, neither of them empty. */
export function medianDifference(some: readonly number[], others: readonly number[]): Interval {
  const random = seeded(SEED);
  const differences: number[] = [];
  for (let round = 0; round < RESAMPLES; round += 1)
    differences.push(median(resample(some, random)) - median(resample(others, random)));
  differences.sort((one, other) => one - other);
  const at = (share: number) => differences[Math.round(share * (RESAMPLES - 1))] ?? 0;
  return { median: median(some) - median(others), low: at(0.025), high: at(0.975) };
}

function median(values: readonly number[]): number {
  return medianOf(values) ?? 0;
}

function resample(values: readonly number[], random: () => number): readonly number[] {
  return values.map(() => values[Math.floor(random() * values.length)] ?? 0);
}

/** Numbers from 0 to 1 by a linear congruence: chance that can be repeated, good enough to draw samples. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
