import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/base/clock.ts';
import type { AgentId } from '../../src/base/terms.ts';
import type { Seen } from './children-process.ts';
import type { TurnServer } from './turns.ts';

const WATCH = fileURLToPath(new URL('children-process.ts', import.meta.url));
const CENSUS_EVERY_MS = 5;
const NEVER = Number.POSITIVE_INFINITY;

/**
 * Watches how many processes start at a time, until the function that this resolves with is called: the most that were
 * there at one moment and had never been there for a conversation, nor for one to come.
 */
export async function watchStarts({ app: { parts }, upAt }: TurnServer): Promise<() => Promise<number>> {
  const owner = await parts.store.meta.get('owner');
  if (owner === null) throw new Error('a server has an owner id');
  const child = fork(WATCH, [String(process.pid), owner]);
  await once(child, 'message');
  /** Spares too, for which there is no conversation yet. */
  const seenAt = new Map<AgentId, number>();
  const stopped = new AbortController();
  const counting = countUp();

  async function countUp(): Promise<void> {
    while (!stopped.signal.aborted) {
      const census = await parts.agents.census();
      const now = performance.timeOrigin + performance.now();
      for (const { id } of census) if (!seenAt.has(id)) seenAt.set(id, now);
      await systemClock.sleep(CENSUS_EVERY_MS, stopped.signal);
    }
  }

  return async () => {
    const answered = once(child, 'message');
    child.send('stop');
    const [seen]: [readonly Seen[]] = (await answered) as [readonly Seen[]];
    stopped.abort();
    await counting;
    return mostStarting(seen, (id) => Math.min(upAt.get(id) ?? NEVER, seenAt.get(id) ?? NEVER));
  };
}

/** `upAt`: when an agent was there, in milliseconds of the epoch. */
export function mostStarting(seen: readonly Seen[], upAt: (agent: AgentId) => number): number {
  const counts = seen.map(({ at, agents }) => agents.filter((id) => upAt(id) > at).length);
  return Math.max(0, ...counts);
}
