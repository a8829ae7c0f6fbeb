import type { Clock } from '../base/clock.ts';
import type { AgentId } from '../base/terms.ts';
import { agentsOf, identityOf, membersOf } from './family-members.ts';
import type { ProcessRow, ProcessTable } from './process-table.ts';

/**
 * Families: an agent process and everything that it started, found by the mark that they inherit, wherever they went.
 *
 *   alive ──TERM──▶ some time to go in peace ──KILL, scanned again──▶ nobody left, seen twice
 */
export type Families = {
  /**
   * Ends the families of these agents and resolves with the number of processes that were told to end, once nobody is
   * left. Rejects when somebody outlives KILL. `inPeaceMs`: how long they have to go by themselves, two seconds when not
   * given.
   */
  end(agents: readonly AgentId[], inPeaceMs?: number): Promise<number>;
  /** Agents of this owner with a living member. */
  owned(owner: string): Promise<readonly AgentId[]>;
  /** Memory of each family in megabytes. */
  memoryMb(agents: readonly AgentId[]): Promise<ReadonlyMap<AgentId, number>>;
};

export type FamiliesDeps = {
  readonly table: ProcessTable;
  readonly clock: Clock;
  /** The server's own pid. */
  readonly self: number;
};

const TERM_LIMIT_MS = 2_000;
const KILL_LIMIT_MS = 10_000;
const SCAN_EVERY_MS = 50;
/** A table is not read in one instant: who starts another and ends meanwhile may be missed once. */
const QUIET_SCANS = 2;

export function makeFamilies({ table, clock, self }: FamiliesDeps): Families {
  /** Signals whoever is there and is new to the signal; the number of members seen. */
  async function signalOnce(
    agents: readonly AgentId[],
    signal: NodeJS.Signals,
    known: Set<string>,
  ): Promise<number> {
    const members = membersOf(await table.rows(), agents, known, self);
    for (const member of members) {
      const wasTold = known.has(identityOf(member));
      known.add(identityOf(member));
      if (signal === 'SIGKILL' || !wasTold) sendSignal(member, signal);
    }
    return members.length;
  }

  /** False when the time is up and somebody is still there. */
  async function signalUntilGone(
    agents: readonly AgentId[],
    signal: NodeJS.Signals,
    limitMs: number,
    known: Set<string>,
  ): Promise<boolean> {
    const deadline = clock.now() + limitMs;
    let quietScans = 0;
    while (quietScans < QUIET_SCANS) {
      const seen = await signalOnce(agents, signal, known);
      quietScans = seen === 0 ? quietScans + 1 : 0;
      if (seen === 0) continue;
      if (clock.now() >= deadline) return false;
      await clock.sleep(SCAN_EVERY_MS);
    }
    return true;
  }

  return {
    async end(agents, inPeaceMs = TERM_LIMIT_MS) {
      if (agents.length === 0) return 0;
      const known = new Set<string>();
      if (await signalUntilGone(agents, 'SIGTERM', inPeaceMs, known)) return known.size;
      if (await signalUntilGone(agents, 'SIGKILL', KILL_LIMIT_MS, known)) return known.size;
      throw new Error(`a process of ${agents.join(', ')} outlived KILL`);
    },
    async owned(owner) {
      return agentsOf(await table.rows(), owner);
    },
    async memoryMb(agents) {
      const rows = await table.rows();
      const sums = agents.map(async (agent): Promise<[AgentId, number]> => {
        const members = membersOf(rows, [agent], new Set(), self);
        const kilobytes = await Promise.all(members.map((member) => table.memoryKb(member)));
        return [agent, Math.round(kilobytes.reduce((sum, each) => sum + each, 0) / 1024)];
      });
      return new Map(await Promise.all(sums));
    },
  };
}

function sendSignal(row: ProcessRow, signal: NodeJS.Signals): void {
  try {
    process.kill(row.pid, signal);
  } catch {
    // It is gone already, or belongs to somebody else now; the next scan tells.
  }
}
