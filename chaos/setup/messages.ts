/** What a run of chaos says to a server, and when the server has said all that it owes. */
import { systemClock } from '../../src/base/clock.ts';
import type { Database } from './read-database.ts';

const ACCEPTED_WITHIN_MS = 90_000;
const RETRY_MS = 50;
const LOOK_MS = 100;

export type Said = { readonly room: string; readonly id: string; readonly text: string };

/** Sends one webhook until it is answered 200: what Campfire does not do, and catching up does. */
export async function post(address: () => string, { room, id, text }: Said): Promise<void> {
  const body = JSON.stringify({
    id,
    creator: { id: 1, name: 'David' },
    room: { id: room, name: room },
    content: `${text} mark-${id}-end`,
  });
  const until = performance.now() + ACCEPTED_WITHIN_MS;
  while (performance.now() < until) {
    try {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${address()}/webhook`, { method: 'POST', headers, body });
      if (answer.status === 200) return;
    } catch {
      // It is dead: the next one takes it, or knows it already.
    }
    await systemClock.sleep(RETRY_MS);
  }
  throw new Error(`${id} was never accepted`);
}

/** Nothing waits, runs or is owed; false: it did not come to that. */
export async function untilQuiet(database: Database, withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs;
  while (performance.now() < until) {
    const open = await database
      .read(
        'select id from inbox where ended_at is null union all select id from outbox where ended_at is null',
      )
      // It is not there just now.
      .catch(() => null);
    if (open?.length === 0) return true;
    await systemClock.sleep(LOOK_MS);
  }
  return false;
}
