/** Processes that still run at the end of a test run and carry its folder's name in their environment. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export type LeftProcess = { readonly pid: number; readonly command: string };

/** Looks a few times, since what was told to end needs a moment: three seconds in all. Empty when none is left. */
export async function findLeftProcesses(mark: string, looks = 30): Promise<readonly LeftProcess[]> {
  for (let look = 1; look < looks; look++) {
    if (listProcesses(mark).length === 0) return [];
    await sleep(100);
  }
  return listProcesses(mark);
}

export function endProcesses(processes: readonly LeftProcess[]): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself in between.
    }
  }
}

function listProcesses(mark: string): LeftProcess[] {
  const all = process.platform === 'linux' ? listOnLinux(mark) : listWithPs(mark);
  // The runner's own workers inherit the folder and may still be on their way out.
  return all.filter((one) => one.pid !== process.pid && !one.command.includes('vitest'));
}

function listOnLinux(mark: string): LeftProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        if (!readFileSync(`/proc/${name}/environ`, 'utf8').includes(mark)) return [];
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return [{ pid: Number(name), command: command.slice(0, 200) }];
      } catch {
        // Ended since the listing, or another user's.
        return [];
      }
    });
}

function listWithPs(mark: string): LeftProcess[] {
  const lines = execFileSync('ps', ['-axEww', '-o', 'pid=,command='], { encoding: 'utf8' }).split('\n');
  return lines
    .filter((line) => line.includes(mark))
    .map((line) => {
      const [pid = '', ...command] = line.trim().split(/\s+/);
      return { pid: Number(pid), command: command.join(' ').slice(0, 200) };
    });
}
