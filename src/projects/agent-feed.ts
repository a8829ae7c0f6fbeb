import type { AgentEvent } from '../agent/agent.ts';
import type { UpdateTransaction } from './project-store.ts';
import { PROGRESS } from './terms.ts';
import type { Work } from './work.ts';

/** Four rows a second at most, whatever the agent says. */
const FLUSH_MS = 250;
const MOST_TEXT = 1_000;
const MOST_WAITING = 40;

type Item =
  | { readonly type: 'agent.message'; readonly text: string }
  | { readonly type: 'agent.tool'; readonly name: string; readonly times: number };

export type AgentFeed = {
  hear(event: AgentEvent): void;
  /** Writes what is left. */
  close(): Promise<void>;
};

/** What an agent says and does while it edits, as events of its update: few, and never more than the update may have. */
export function makeAgentFeed(work: Work): AgentFeed {
  const waiting: Item[] = [];
  let written = 0;
  let flushing: Promise<void> = Promise.resolve();
  let isFlushing = false;

  function hear(event: AgentEvent): void {
    const item = toItem(event);
    if (item === null) return;
    const joined = join(waiting.at(-1), item);
    if (joined !== null) waiting[waiting.length - 1] = joined;
    else if (waiting.length < MOST_WAITING) waiting.push(item);
  }

  async function flush(count: number): Promise<void> {
    const items = waiting.splice(0, Math.min(count, work.eventsLeft));
    if (items.length === 0) return;
    work.eventsLeft -= items.length;
    written += items.length;
    await work.transact((tx) => add(tx, items, written));
  }

  const stop = work.deps.clock.every(FLUSH_MS, () => {
    if (isFlushing || waiting.length === 0) return;
    isFlushing = true;
    // A lost lease, or a database that is away, is found by the run's own transaction, which owns it.
    flushing = flush(1)
      .catch(() => {})
      .finally(() => {
        isFlushing = false;
      });
  });

  return {
    hear,
    async close() {
      stop();
      await flushing;
      await flush(MOST_WAITING);
    },
  };
}

async function add(tx: UpdateTransaction, items: readonly Item[], written: number): Promise<void> {
  // It never reaches the step that follows, however much is said.
  const progress = PROGRESS.edit + (PROGRESS.verify - PROGRESS.edit) * (1 - 1 / (1 + written / 20));
  for (const { type, ...payload } of items) await tx.events.add(type, progress, payload);
}

function toItem(event: AgentEvent): Item | null {
  if (event.kind === 'text-delta') return { type: 'agent.message', text: event.text.slice(0, MOST_TEXT) };
  if (event.kind === 'tool-started') return { type: 'agent.tool', name: event.name, times: 1 };
  return null;
}

function join(last: Item | undefined, next: Item): Item | null {
  if (last?.type === 'agent.message' && next.type === 'agent.message') {
    const text = last.text + next.text;
    return text.length > MOST_TEXT ? null : { ...last, text };
  }
  if (last?.type === 'agent.tool' && next.type === 'agent.tool' && last.name === next.name)
    return { ...last, times: last.times + next.times };
  return null;
}
