/**
 * Looks again and again which agents' processes another process has, in a process of its own: to read the process table
 * costs some milliseconds each time. Arguments: the other process and the id of its data folder. It says
 * when it begins; what was seen goes to its parent when that says `stop`.
 */
import { systemClock } from '../../src/base/clock.ts';
import type { AgentId } from '../../src/base/terms.ts';
import { childAgents } from './memory.ts';

/** `at`: when the look was over, in milliseconds of the epoch. */
export type Seen = { readonly at: number; readonly agents: readonly AgentId[] };

/** A start takes several times as long. */
const EVERY_MS = 50;

const [server = '', owner = ''] = process.argv.slice(2);
const seen: Seen[] = [];
const ending = new AbortController();
process.on('message', () => ending.abort());
process.on('disconnect', () => ending.abort());

process.send?.('looking');
while (!ending.signal.aborted) {
  const agents = await childAgents(Number(server), owner);
  seen.push({ at: performance.timeOrigin + performance.now(), agents });
  await systemClock.sleep(EVERY_MS, ending.signal);
}
process.send?.(seen, () => process.disconnect());
