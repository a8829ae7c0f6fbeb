import { writeFile } from 'node:fs/promises';
import { setPriority } from 'node:os';
import type { Clock } from '../base/clock.ts';

/** Below the server, so that webhooks are answered while ten agents start. */
export const NICE = 10;
/** Linux lets an ordinary user change one session in a tenth of a second, whoever else does. */
const AGAIN = { times: 10, afterMs: 150 };

/**
 * Lets a process that leads a session of its own give way to the server. Where Linux shares processors out between
 * sessions (`autogroup`), how nice a process is counts within its session alone: the session has to be as nice.
 */
export async function lowerPriority(pid: number, clock: Clock): Promise<void> {
  try {
    setPriority(pid, NICE);
  } catch {
    // It has ended already, which its owner hears.
    return;
  }
  if (process.platform !== 'linux') return;
  for (let time = 1; time <= AGAIN.times; time += 1) {
    const refusal = await writeFile(`/proc/${pid}/autogroup`, String(NICE)).then(() => null, codeOf);
    // Anything else: it has ended, or this kernel has no such groups.
    if (refusal !== 'EAGAIN') return;
    await clock.sleep(AGAIN.afterMs);
  }
}

function codeOf(error: NodeJS.ErrnoException): string | undefined {
  return error.code;
}
