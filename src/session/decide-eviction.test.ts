import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AgentId } from '../base/terms.ts';
import { type AgentFacts, decideEviction, type EvictionFacts } from './decide-eviction.ts';

function agent(id: string, facts: Partial<AgentFacts> = {}): AgentFacts {
  return { id: id as AgentId, busy: false, lastUsedAt: 0, memoryMb: 200, usualMb: 200, turns: 1, ...facts };
}
const roomy: Omit<EvictionFacts, 'agents'> = {
  starting: { count: 0, memoryMb: 0 },
  budgetMb: 2_000,
  wantedMb: 0,
  machineShare: 0.5,
  highWatermark: 0.8,
  mostAgents: 10,
};
const evicted = (facts: EvictionFacts) =>
  decideEviction(facts).evictions.map(({ id, reason }) => `${id}:${reason}`);

describe('decideEviction', () => {
  it('leaves everybody alone under the budget', () => {
    expect(evicted({ ...roomy, agents: [agent('a'), agent('b')] })).toEqual([]);
  });

  it('ends the least recently used until under the budget', () => {
    const agents = [
      agent('new', { lastUsedAt: 3 }),
      agent('old', { lastUsedAt: 1 }),
      agent('mid', { lastUsedAt: 2 }),
    ];
    expect(evicted({ ...roomy, agents, budgetMb: 350 })).toEqual(['old:budget', 'mid:budget']);
  });

  it('makes room for a start that waits', () => {
    const agents = [agent('old', { lastUsedAt: 1 }), agent('new', { lastUsedAt: 2 })];
    expect(evicted({ ...roomy, agents, budgetMb: 500, wantedMb: 250 })).toEqual(['old:budget']);
    expect(evicted({ ...roomy, agents, mostAgents: 2, wantedMb: 250 })).toEqual(['old:count']);
  });

  it('says when a start has to wait, and never when nobody else is there', () => {
    const busy = [agent('busy', { busy: true })];
    expect(decideEviction({ ...roomy, agents: busy, budgetMb: 300, wantedMb: 200 }).fits).toBe(false);
    expect(decideEviction({ ...roomy, agents: busy, budgetMb: 400, wantedMb: 200 }).fits).toBe(true);
    expect(decideEviction({ ...roomy, agents: [], budgetMb: 100, wantedMb: 200 }).fits).toBe(true);
    const starting = { count: 1, memoryMb: 200 };
    expect(decideEviction({ ...roomy, agents: [], starting, budgetMb: 300, wantedMb: 200 }).fits).toBe(false);
  });

  it('ends the older half of the idle ones above the watermark', () => {
    const agents = [1, 2, 3].map((n) => agent(`a${n}`, { lastUsedAt: n }));
    expect(evicted({ ...roomy, agents, machineShare: 0.81 })).toEqual(['a1:watermark', 'a2:watermark']);
  });

  it('recycles one that served 200 turns or holds twice what its bot usually does', () => {
    const agents = [
      agent('worn', { turns: 200 }),
      agent('fat', { memoryMb: 401 }),
      agent('fine', { memoryMb: 400 }),
    ];
    expect(evicted({ ...roomy, agents })).toEqual(['worn:recycled', 'fat:recycled']);
  });

  it('never ends an agent in a turn, and ends enough of the others where that can be', () => {
    const anyAgent = fc.record({
      busy: fc.boolean(),
      lastUsedAt: fc.nat(9),
      memoryMb: fc.nat(500),
      turns: fc.nat(250),
    });
    fc.assert(
      fc.property(
        fc.array(anyAgent, { maxLength: 12 }),
        fc.nat(3_000),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (list, budgetMb, machineShare) => {
          const agents = list.map((facts, index) => agent(String(index), facts));
          const ended = new Set(
            decideEviction({ ...roomy, agents, budgetMb, machineShare }).evictions.map(({ id }) => id),
          );
          const left = agents.filter(({ id }) => !ended.has(id));
          expect(agents.filter(({ id, busy }) => busy && ended.has(id))).toEqual([]);
          const heldMb = left.reduce((sum, { memoryMb }) => sum + memoryMb, 0);
          expect(heldMb <= budgetMb || left.every(({ busy }) => busy)).toBe(true);
        },
      ),
    );
  });
});
