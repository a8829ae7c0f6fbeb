import type { AgentId, Instant } from '../base/terms.ts';

export type AgentFacts = {
  readonly id: AgentId;
  readonly busy: boolean;
  readonly lastUsedAt: Instant;
  /** What its family holds. */
  readonly memoryMb: number;
  /** What an agent of its bot usually holds; null while unknown. */
  readonly usualMb: number | null;
  /** Turns that this process has served. */
  readonly turns: number;
};

export type EvictionFacts = {
  readonly agents: readonly AgentFacts[];
  /** Processes on their way, and what they will hold. */
  readonly starting: { readonly count: number; readonly memoryMb: number };
  /** What all families together may hold. */
  readonly budgetMb: number;
  /** What a start that waits will need on top; 0 when none waits. */
  readonly wantedMb: number;
  /** Share of the machine's (or container's) memory in use, and the share above which half of the idle ones go. */
  readonly machineShare: number;
  readonly highWatermark: number;
  readonly mostAgents: number;
};

/** A process that has served so many turns is replaced between turns. */
const MOST_TURNS = 200;

export type Eviction = {
  readonly id: AgentId;
  readonly reason: 'budget' | 'watermark' | 'count' | 'recycled';
};

export type EvictionDecision = {
  readonly evictions: readonly Eviction[];
  /** Afterwards all is within its limits, the start that waits included; one agent alone always fits. */
  readonly fits: boolean;
};

/** Which idle agents to end, least recently used first. An agent in a turn is never among them. Pure. */
export function decideEviction(facts: EvictionFacts): EvictionDecision {
  const idle = facts.agents.filter((agent) => !agent.busy).sort((a, b) => a.lastUsedAt - b.lastUsedAt);
  const worn = idle.filter(isWorn).map(({ id }) => ({ id, reason: 'recycled' as const }));
  const older = facts.machineShare > facts.highWatermark ? idle.slice(0, Math.ceil(idle.length / 2)) : [];
  const pressed = older
    .filter((agent) => !isWorn(agent))
    .map(({ id }) => ({ id, reason: 'watermark' as const }));
  const ended = [...worn, ...pressed];
  const { evictions, fits } = untilItFits(facts, idle, new Set(ended.map(({ id }) => id)));
  return { evictions: [...ended, ...evictions], fits };
}

/** The oldest idle ones that are left, until memory and number fit. */
function untilItFits(
  facts: EvictionFacts,
  idle: readonly AgentFacts[],
  ended: ReadonlySet<AgentId>,
): EvictionDecision {
  const left = facts.agents.filter(({ id }) => !ended.has(id));
  let heldMb = left.reduce((sum, { memoryMb }) => sum + memoryMb, facts.wantedMb + facts.starting.memoryMb);
  let count = left.length + facts.starting.count + (facts.wantedMb > 0 ? 1 : 0);
  const evictions: Eviction[] = [];
  for (const agent of idle.filter(({ id }) => !ended.has(id))) {
    if (heldMb <= facts.budgetMb && count <= facts.mostAgents) break;
    evictions.push({ id: agent.id, reason: heldMb > facts.budgetMb ? 'budget' : 'count' });
    heldMb -= agent.memoryMb;
    count -= 1;
  }
  const fits = heldMb <= facts.budgetMb && count <= facts.mostAgents;
  const isAlone = left.length === evictions.length && facts.starting.count === 0;
  return { evictions, fits: fits || isAlone };
}

function isWorn(agent: AgentFacts): boolean {
  return agent.turns >= MOST_TURNS || (agent.usualMb !== null && agent.memoryMb > 2 * agent.usualMb);
}
