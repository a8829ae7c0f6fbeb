import { systemClock, within } from '../../src/base/clock.ts';

const LIMIT_MS = 60_000;

/** What a benchmark waits for comes within a minute, or it fails and says what did not come. */
export async function inTime<Value>(promise: Promise<Value>, what: string): Promise<Value> {
  const outcome = await within(systemClock, LIMIT_MS, promise);
  if (outcome === 'timed-out') throw new Error(`${what} did not come within ${LIMIT_MS} ms`);
  return outcome;
}
