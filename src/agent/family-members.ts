import type { AgentId } from '../base/terms.ts';
import type { ProcessRow } from './process-table.ts';

/** Names one process for as long as it lives. */
export function identityOf(row: ProcessRow): string {
  return `${row.pid}@${row.began}`;
}

/**
 * Everybody who belongs to these agents: who carries a mark of theirs or was known as a member before, who shares a process group
 * with one of them, and who descends from one of them. Never the server itself, nor whom it descends from: a server
 * that was started by an agent carries that agent's mark.
 */
export function membersOf(
  rows: readonly ProcessRow[],
  agents: readonly AgentId[],
  known: ReadonlySet<string>,
  self: number,
): readonly ProcessRow[] {
  const spared = ancestryOf(rows, self);
  const isMarked = (row: ProcessRow) => row.agent !== null && agents.includes(row.agent);
  const seeds = rows.filter((row) => !spared.has(row.pid) && (isMarked(row) || known.has(identityOf(row))));
  const ownGroup = rows.find((row) => row.pid === self)?.group;
  const groups = new Set(seeds.map((row) => row.group).filter((group) => group !== ownGroup && group > 1));
  const members = new Set(seeds.map((row) => row.pid));
  for (let grew = true; grew; ) {
    grew = false;
    for (const row of rows) {
      const belongs = groups.has(row.group) || members.has(row.parent);
      if (!belongs || members.has(row.pid) || spared.has(row.pid)) continue;
      members.add(row.pid);
      grew = true;
    }
  }
  return rows.filter((row) => members.has(row.pid));
}

/** The agents of an owner that have a living member. */
export function agentsOf(rows: readonly ProcessRow[], owner: string): readonly AgentId[] {
  const found = rows.flatMap((row) => (row.owner === owner && row.agent !== null ? [row.agent] : []));
  return [...new Set(found)];
}

function ancestryOf(rows: readonly ProcessRow[], self: number): ReadonlySet<number> {
  const parents = new Map(rows.map((row) => [row.pid, row.parent]));
  const ancestry = new Set<number>([self]);
  for (let pid = parents.get(self); pid !== undefined && !ancestry.has(pid); pid = parents.get(pid))
    ancestry.add(pid);
  return ancestry;
}
