import { describe, expect, it } from 'vitest';
import { botId } from '../base/terms.ts';
import { decideRewarming, decideSpares } from './decide-spares.ts';

const bot = (id: string, coldStarts: number, isDefault = false) => ({ id: botId(id), coldStarts, isDefault });
const roomy = { most: 1, budgetMb: 4_000 };

describe('decideSpares', () => {
  it('keeps one for the default bot until cold starts say otherwise', () => {
    expect(decideSpares({ ...roomy, bots: [bot('a', 0), bot('b', 0, true)] })).toEqual(['b']);
    expect(decideSpares({ ...roomy, bots: [bot('a', 1), bot('b', 0, true)] })).toEqual(['a']);
  });

  it('keeps no more than asked for, than there are bots, or than a quarter of the budget holds', () => {
    const bots = [bot('a', 3), bot('b', 2), bot('c', 1)];
    expect(decideSpares({ ...roomy, bots, most: 2 })).toEqual(['a', 'b']);
    expect(decideSpares({ ...roomy, bots, most: 9 })).toEqual(['a', 'b', 'c']);
    expect(decideSpares({ ...roomy, bots, most: 9, budgetMb: 1_600 })).toEqual(['a']);
    expect(decideSpares({ ...roomy, bots, most: 0 })).toEqual([]);
  });
});

describe('decideRewarming', () => {
  it('takes what the spares leave of the quarter', () => {
    const limits = { rewarmSessions: 4, spareAgents: 1, agentMemoryBudgetMb: 4_000 };
    expect(decideRewarming(limits)).toBe(3);
    expect(decideRewarming({ ...limits, rewarmSessions: 2 })).toBe(2);
    expect(decideRewarming({ ...limits, agentMemoryBudgetMb: 400 })).toBe(0);
  });
});
