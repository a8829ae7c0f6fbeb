/** Memory of processes, as the system tells it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type ProcessRow, systemProcessTable } from '../../src/agent/process-table.ts';
import type { AgentId } from '../../src/base/terms.ts';

const table = systemProcessTable(process.platform);

/** What a process holds of the machine's memory, in megabytes. */
export async function rssMb(pid: number): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)]);
  return Number(stdout.trim()) / 1024;
}

/** Memory of each agent family of a server, in megabytes: shares of shared pages where the system knows them. */
export async function familiesMb(server: number): Promise<readonly number[]> {
  const rows = await table.rows();
  const owner = rows.find((row) => row.parent === server && row.owner !== null)?.owner;
  const members = rows.filter((row) => row.owner === owner && row.agent !== null);
  const families = Map.groupBy(members, (row) => row.agent);
  return await Promise.all([...families.values()].map(sumMb));
}

/** Of the one child of a process that carries an agent's mark; null while there is none. */
export async function childMb(parent: number): Promise<number | null> {
  const child = (await table.rows()).find((row) => row.parent === parent && row.agent !== null);
  return child === undefined ? null : await sumMb([child]);
}

/** Agents of one owner whose processes a process has started and that live. */
export async function childAgents(parent: number, owner: string): Promise<readonly AgentId[]> {
  const rows = await table.rows();
  return rows.flatMap((row) =>
    row.parent === parent && row.owner === owner && row.agent !== null ? [row.agent] : [],
  );
}

async function sumMb(rows: readonly ProcessRow[]): Promise<number> {
  const kilobytes = await Promise.all(rows.map((row) => table.memoryKb(row)));
  return kilobytes.reduce((sum, each) => sum + each, 0) / 1024;
}
