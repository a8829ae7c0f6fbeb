import { systemClock } from '../../src/base/clock.ts';

const EVERY_MS = 100;
/** Whoever has not answered by then is not up. */
const LIMIT_MS = 5_000;

/**
 * Asks `/health` again and again while a server is up (its address is not null), until `stop`, which gives the times
 * of all answers in milliseconds. A question that a kill cuts off has no answer.
 */
export function probeHealth(address: () => string | null): { stop(): Promise<readonly number[]> } {
  const times: number[] = [];
  const ending = new AbortController();
  async function ask(url: string): Promise<void> {
    const asked = performance.now();
    try {
      const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(LIMIT_MS) });
      await answer.arrayBuffer();
    } catch {
      if (address() !== url || performance.now() - asked < LIMIT_MS) return;
    }
    times.push(performance.now() - asked);
  }
  async function probe(): Promise<void> {
    while (!ending.signal.aborted) {
      const url = address();
      if (url !== null) await ask(url);
      await systemClock.sleep(EVERY_MS, ending.signal);
    }
  }
  const probing = probe();
  return {
    async stop() {
      ending.abort();
      await probing;
      return times;
    },
  };
}
