import { readdir, readFile } from 'node:fs/promises';

/** Memory of all processes that carry `mark` in their environment, in MB: PSS, read afresh. Linux only. */
export async function familiesMemoryMb(mark: string): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const sizes = await Promise.all(pids.map((pid) => memoryOf(pid, mark)));
  return sizes.reduce((sum, kb) => sum + kb, 0) / 1024;
}

async function memoryOf(pid: string, mark: string): Promise<number> {
  try {
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1');
    if (!environment.includes(mark)) return 0;
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1');
    return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0);
  } catch {
    // It ended while it was read.
    return 0;
  }
}
