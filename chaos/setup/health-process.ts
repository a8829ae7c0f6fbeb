/**
 * Asks `/health` in a process of its own, so that nothing else that is done there is taken for a slow answer. Its parent
 * sends the address of the server that is up, or null, and `stop`; then the times of all answers come back.
 */
import { systemClock } from '../../src/base/clock.ts';

const EVERY_MS = 100;
/** Whoever has not answered by then is not up. */
const LIMIT_MS = 5_000;

const times: number[] = [];
const ending = new AbortController();
let address: string | null = null;

process.on('message', (said: { readonly address: string | null } | 'stop') => {
  if (said === 'stop') ending.abort();
  else address = said.address;
});
process.on('disconnect', () => ending.abort());

while (!ending.signal.aborted) {
  if (address !== null) await ask(address);
  await systemClock.sleep(EVERY_MS, ending.signal);
}
process.send?.(times, () => process.disconnect());

/** A question that a kill cuts off has no answer. */
async function ask(url: string): Promise<void> {
  const asked = performance.now();
  try {
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(LIMIT_MS) });
    await answer.arrayBuffer();
  } catch {
    if (address !== url || performance.now() - asked < LIMIT_MS) return;
  }
  times.push(performance.now() - asked);
}
