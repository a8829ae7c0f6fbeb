import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

export type MachineMemory = {
  readonly totalBytes: number;
  /** What a process could still get; within a container its limit less all that it is charged for. */
  readonly availableBytes: number;
  /** The container's limit; 0, or more than the machine has, where there is none. */
  readonly limitBytes: number;
  /** File cache that the container is charged for and that the kernel takes back before it runs out. */
  readonly cacheBytes: number;
};

/** Share of the memory that is in use: the container's where it has a limit, else the machine's. 0 to 1. Pure. */
export function usedShare({ totalBytes, availableBytes, limitBytes, cacheBytes }: MachineMemory): number {
  const limited = isLimited(limitBytes, totalBytes);
  const whole = limited ? limitBytes : totalBytes;
  const available = limited ? availableBytes + cacheBytes : availableBytes;
  return Math.min(1, Math.max(0, 1 - available / whole));
}

/** As of now. Elsewhere than on Linux nobody tells what could still be had, and it counts as nothing used. */
export function machineShare(): number {
  if (process.platform !== 'linux') return 0;
  const totalBytes = totalmem();
  const limitBytes = process.constrainedMemory();
  const cacheBytes = isLimited(limitBytes, totalBytes) ? readCacheBytes() : 0;
  return usedShare({ totalBytes, availableBytes: process.availableMemory(), limitBytes, cacheBytes });
}

/** Where the statistics of a process's control group may stand, likeliest first, by its `/proc/self/cgroup`. Pure. */
export function statPaths(cgroups: string): readonly string[] {
  return cgroups.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) return [];
    const isMemory = controllers.split(',').includes('memory');
    if (!isMemory && controllers !== '') return [];
    const root = isMemory ? '/sys/fs/cgroup/memory' : '/sys/fs/cgroup';
    // Within a container its own group may be mounted at the root, whatever it is called outside.
    return [...new Set([`${root}${path === '/' ? '' : path}/memory.stat`, `${root}/memory.stat`])];
  });
}

/** Bytes of file cache that are not in use, by a group's `memory.stat` of either version; 0 where it does not say. Pure. */
export function cacheIn(stat: string): number {
  const found = /^total_inactive_file (\d+)$/m.exec(stat) ?? /^inactive_file (\d+)$/m.exec(stat);
  return Number(found?.[1] ?? 0);
}

function isLimited(limitBytes: number, totalBytes: number): boolean {
  return limitBytes > 0 && limitBytes < totalBytes;
}

function readCacheBytes(): number {
  for (const path of statPaths(readOrEmpty('/proc/self/cgroup'))) {
    const stat = readOrEmpty(path);
    if (stat !== '') return cacheIn(stat);
  }
  return 0;
}

/** These are the kernel's words, not a disk's: reading them waits for nothing. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
