import { expect, test } from 'vitest';
import { newAgentId } from '../base/ids.ts';
import { botId, type ConversationKey } from '../base/terms.ts';
import { FIRST_GUESS_MB, makeMemory } from './memory.ts';

/** Whether a first agent fits beside a family that holds so much. */
async function fitsBeside(conversation: string | null, rssMb: number | null): Promise<boolean> {
  const family = { id: newAgentId(), conversation: conversation as ConversationKey | null, rssMb };
  const limits = { mostLive: 10, budgetMb: FIRST_GUESS_MB + 100, highWatermark: 0.9 };
  const memory = makeMemory({ census: async () => [family], machineShare: () => 0.1, limits });
  return (await memory.decide([], [botId('helper')], null)).fits;
}

test('spares and the agents of projects count against the budget, though no conversation can give them up', async () => {
  expect(await fitsBeside(null, 100)).toBe(true);
  expect(await fitsBeside(null, 101)).toBe(false);
  expect(await fitsBeside('project:shop', 100)).toBe(true);
  expect(await fitsBeside('project:shop', 101)).toBe(false);
  expect(await fitsBeside('project:shop', null)).toBe(false);
});

test('a family of a conversation is counted with its live agent alone', async () => {
  expect(await fitsBeside('builtin:1:project', 101)).toBe(true);
});

test('a start is not measured for where there is plenty, and is where there may not be', async () => {
  const asked = { count: 0 };
  const start = (budgetMb: number, share = 0.1) =>
    makeMemory({
      async census() {
        asked.count += 1;
        return [];
      },
      machineShare: () => share,
      limits: { mostLive: 10, budgetMb, highWatermark: 0.9 },
    }).decide([], [botId('helper')], botId('helper'));
  expect(await start(2_000)).toEqual({ evictions: [], fits: true });
  expect(asked.count).toBe(0);
  await start(1_999);
  await start(2_000, 0.9);
  expect(asked.count).toBe(2);
});
