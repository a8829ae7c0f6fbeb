import { readdir, readFile } from 'node:fs/promises';

/** Processes of agents by what they carry in their environment. Linux only. */
export type FamilyMember = { readonly pid: number; readonly agent: string; readonly memoryMb: number };

/** All processes of all families of a data folder, read afresh; memory is PSS. */
export async function familiesOf(owner: string): Promise<readonly FamilyMember[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const members = await Promise.all(pids.map((pid) => readMember(pid, owner)));
  return members.filter((member) => member !== null);
}

export async function familiesMemoryMb(owner: string): Promise<number> {
  return (await familiesOf(owner)).reduce((sum, { memoryMb }) => sum + memoryMb, 0);
}

async function readMember(pid: string, owner: string): Promise<FamilyMember | null> {
  try {
    const environment = (await readFile(`/proc/${pid}/environ`, 'latin1')).split('\0');
    if (!environment.includes(`FIREKEEPER_OWNER=${owner}`)) return null;
    const agent = environment.find((line) => line.startsWith('FIREKEEPER_AGENT='))?.slice(17) ?? '';
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1');
    return { pid: Number(pid), agent, memoryMb: Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) / 1024 };
  } catch {
    // It ended while it was read.
    return null;
  }
}
