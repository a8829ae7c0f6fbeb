/** Lets at most so many pieces of work run at once; the others wait in the order in which they came. */
export type StartGate = {
  run<Result>(work: () => Promise<Result>): Promise<Result>;
};

/** Starting a process is CPU: ten at once made the last one wait longest of all. */
export function makeStartGate(atOnce: number): StartGate {
  let running = 0;
  // One entry for each turn that waits for its process, so as long as the queue of turns lets it become.
  const waiting: (() => void)[] = [];

  async function enter(): Promise<void> {
    if (running < atOnce) {
      running++;
      return;
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  }

  function leave(): void {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }

  return {
    async run(work) {
      await enter();
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
