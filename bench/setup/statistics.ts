/** What is told of many measurements of one thing. */
export type Summary = {
  readonly n: number;
  readonly p50: number;
  readonly p95: number;
  /** Null below a hundred measurements: the one highest of twenty is no percentile. */
  readonly p99: number | null;
  readonly least: number;
  readonly most: number;
};

const ENOUGH_FOR_P99 = 100;

export function summarize(measured: readonly number[]): Summary {
  const sorted = measured.toSorted((a, b) => a - b);
  return {
    n: sorted.length,
    p50: median(sorted),
    p95: quantile(sorted, 0.95),
    p99: sorted.length < ENOUGH_FOR_P99 ? null : quantile(sorted, 0.99),
    least: quantile(sorted, 0),
    most: quantile(sorted, 1),
  };
}

/** Of an even number, the mean of the two in the middle. */
export function median(measured: readonly number[]): number {
  const sorted = measured.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return (at(sorted, Math.ceil(half) - 1) + at(sorted, Math.floor(half))) / 2;
}

/** The nearest rank: always a value that was measured. */
export function quantile(sorted: readonly number[], share: number): number {
  return at(sorted, Math.max(0, Math.ceil(share * sorted.length) - 1));
}

function at(sorted: readonly number[], index: number): number {
  const value = sorted[index];
  if (value === undefined) throw new Error('nothing was measured');
  return value;
}
