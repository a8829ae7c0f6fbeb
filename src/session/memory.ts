import type { AgentCensus } from '../agent/agent.ts';
import type { BotId, ConversationKey } from '../base/terms.ts';
import { decideEviction, type EvictionDecision } from './decide-eviction.ts';
import type { LiveAgent } from './live-agents.ts';

/** What an agent is taken for until one of its bot has been measured. */
export const FIRST_GUESS_MB = 250;
/** No agent has been seen to hold as much: where this fits once for each, nothing needs to be measured. */
const MORE_THAN_ANY_MB = 1_000;
/** How much of its bot's usual size one new measurement changes. */
const SMOOTHING = 0.2;

export type MemoryDeps = {
  /** Memory of each family, at most a few seconds old. */
  census(): Promise<readonly Pick<AgentCensus, 'id' | 'conversation' | 'rssMb'>[]>;
  /** Share of the machine's memory (the container's, where there is one) that is in use. */
  machineShare(): number;
  readonly limits: {
    readonly mostLive: number;
    readonly budgetMb: number;
    readonly highWatermark: number;
  };
};

/** Measures what the agents hold and says who has to go. */
export type Memory = {
  /** `starting`: the bots of processes on their way; `wanted`: the bot of a start that waits for room. */
  decide(
    live: readonly LiveAgent[],
    starting: readonly BotId[],
    wanted: BotId | null,
  ): Promise<EvictionDecision>;
};

export function makeMemory(deps: MemoryDeps): Memory {
  const usual = new Map<BotId, number>();
  const usualOf = (bot: BotId): number => usual.get(bot) ?? FIRST_GUESS_MB;

  /** A start waits for a measurement only where it could matter; the sweep finds who is worn. */
  function isPlenty(agents: number): boolean {
    const { budgetMb, mostLive, highWatermark } = deps.limits;
    const isRoom = agents <= mostLive && agents * MORE_THAN_ANY_MB <= budgetMb;
    return isRoom && deps.machineShare() < highWatermark;
  }

  return {
    async decide(live, starting, wanted) {
      if (wanted !== null && isPlenty(live.length + starting.length + 1))
        return { evictions: [], fits: true };
      const census = await deps.census();
      const measured = new Map(census.map(({ id, rssMb }) => [id, rssMb]));
      // They are not ours to end, and hold memory all the same.
      const others = census.filter(({ conversation }) => conversation === null || isProject(conversation));
      const othersMb = others.reduce((sum, { rssMb }) => sum + (rssMb ?? FIRST_GUESS_MB), 0);
      const agents = live.map((entry) => {
        const { agent, botId, busy, turns, record } = entry;
        const memoryMb = measured.get(agent.id) ?? null;
        const usualMb = usual.get(botId) ?? null;
        const facts = { id: agent.id, busy, turns, lastUsedAt: record.lastUsedAt, usualMb };
        if (memoryMb !== null) usual.set(botId, smooth(usualMb, memoryMb));
        return { ...facts, memoryMb: memoryMb ?? usualOf(botId) };
      });
      const startingMb = starting.reduce((sum, bot) => sum + usualOf(bot), 0);
      return decideEviction({
        agents,
        starting: { count: starting.length, memoryMb: startingMb + othersMb },
        budgetMb: deps.limits.budgetMb,
        mostAgents: deps.limits.mostLive,
        wantedMb: wanted === null ? 0 : usualOf(wanted),
        machineShare: deps.machineShare(),
        highWatermark: deps.limits.highWatermark,
      });
    },
  };
}

/** The key of a project, under which the agents of its updates stand: no chat has this name. */
function isProject(conversation: ConversationKey): boolean {
  return conversation.startsWith('project:');
}

function smooth(usualMb: number | null, measuredMb: number): number {
  return usualMb === null ? measuredMb : usualMb + SMOOTHING * (measuredMb - usualMb);
}
