import { systemClock } from '../../src/base/clock.ts';
import { familiesMemoryMb } from './families-memory.ts';
import { atMost, exactly, type Finding, told } from './report.ts';
import { openWorld } from './world.ts';

/** What one process is taken for at most: the budget may be exceeded by one. */
const ONE_PROCESS_MB = 400;
const SAMPLE_MS = 1_000;

export type MemoryRun = { readonly rooms: number; readonly seconds: number; readonly budgetMb: number };

/**
 * `rooms` conversations write in turn, so that most have been evicted when they write again. Every message must be
 * answered, every conversation remember its first message, and the families stay within the budget plus one process.
 */
export async function runMemory({ rooms, seconds, budgetMb }: MemoryRun): Promise<readonly Finding[]> {
  const world = await openWorld({
    AGENT_MEMORY_BUDGET_MB: String(budgetMb),
    // Memory alone is to decide, not the number.
    MAX_HOT_SESSIONS: String(rooms),
    SPARE_AGENTS: '0',
    REWARM_SESSIONS: '0',
  });
  const owner = (await world.app.parts.store.meta.get('owner')) ?? 'none';
  const tiers = new Map<string, number>();
  world.app.turnEvents.subscribe((event) => {
    if (event.type === 'turn.started') tiers.set(event.tier, (tiers.get(event.tier) ?? 0) + 1);
  });
  let mostMb = 0;
  let mostAgents = 0;
  const stopSampling = systemClock.every(SAMPLE_MS, () => void sample());
  async function sample(): Promise<void> {
    mostMb = Math.max(mostMb, await familiesMemoryMb(owner));
    mostAgents = Math.max(mostAgents, (await world.app.parts.agents.census()).length);
  }

  let asked = 0;
  let forgotten = 0;
  const deadline = performance.now() + seconds * 1_000;
  try {
    for (let round = 0; performance.now() < deadline || round < 2; round++) {
      for (let room = 0; room < rooms && (performance.now() < deadline || round < 2); room++) {
        const { reply } = await world.ask(`room-${room}`, `round ${round} of room ${room}`);
        asked += 1;
        if (!reply.includes(`message ${round + 1} of this conversation`)) forgotten += 1;
      }
    }
    const waiting = await world.app.parts.store.inbox.counts();
    return [
      told('messages asked', asked),
      exactly('messages without an answer', waiting.waiting + waiting.running, 0),
      exactly('answers that did not remember all earlier messages', forgotten, 0),
      atMost('most memory of all families, MB', Math.round(mostMb), budgetMb + ONE_PROCESS_MB),
      told('most agents at once', mostAgents),
      ...[...tiers].map(([tier, count]) => told(`turns that started ${tier}`, count)),
    ];
  } finally {
    stopSampling();
    await world.close();
  }
}
