import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROCESS = fileURLToPath(new URL('health-process.ts', import.meta.url));

export type HealthProbe = {
  /** From now on this server is asked; null: none is up. */
  ask(address: string | null): void;
  /** Times of all answers in milliseconds. */
  stop(): Promise<readonly number[]>;
};

/** Asks `/health` ten times a second while a server is up. */
export function probeHealth(): HealthProbe {
  const child = fork(PROCESS);
  let times: Promise<readonly number[]> | null = null;
  async function stop(): Promise<readonly number[]> {
    const answered = once(child, 'message');
    child.send('stop');
    const [all] = await answered;
    return all;
  }
  return {
    ask: (address) => child.send({ address }),
    stop() {
      times ??= stop();
      return times;
    },
  };
}
