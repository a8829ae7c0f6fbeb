import type { AgentStartRequest } from './agent.ts';

/** Who is admitted first: somebody waits for a turn; nobody waits for what is started ahead of need. */
export type StartPriority = AgentStartRequest['priority'] | 'spare';

/**
 * Lets at most so many pieces of work run at once. The others wait: turns before rewarmings before spares, each of
 * them in the order in which they came. Starting a process is CPU: ten at once made the last one wait longest of all.
 */
export type StartGate = {
  run<Result>(priority: StartPriority, work: () => Promise<Result>): Promise<Result>;
};

const ORDER: readonly StartPriority[] = ['turn', 'rewarm', 'spare'];

/** The place of who is admitted next among those that wait, oldest first; -1 when nobody does. Pure. */
export function nextInLine(waiting: readonly StartPriority[]): number {
  const first = ORDER.find((priority) => waiting.includes(priority));
  return first === undefined ? -1 : waiting.indexOf(first);
}

type Waiting = { readonly priority: StartPriority; readonly admit: () => void };

export function makeStartGate(atOnce: number): StartGate {
  let running = 0;
  // One entry for each turn, rewarming and spare that waits for its process: as long as those who ask let it become.
  const waiting: Waiting[] = [];

  async function enter(priority: StartPriority): Promise<void> {
    if (running < atOnce) {
      running++;
      return;
    }
    await new Promise<void>((admit) => waiting.push({ priority, admit }));
  }

  function leave(): void {
    const place = nextInLine(waiting.map(({ priority }) => priority));
    const [next] = place === -1 ? [] : waiting.splice(place, 1);
    if (next === undefined) running--;
    else next.admit();
  }

  return {
    async run(priority, work) {
      await enter(priority);
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
