import { expect, test } from 'vitest';
import type { AgentId } from '../../src/base/terms.ts';
import { mostStarting } from './starts.ts';

const [a, b, c] = ['a', 'b', 'c'] as AgentId[] as [AgentId, AgentId, AgentId];

test('who is there and not yet up starts', () => {
  const seen = [
    { at: 10, agents: [a] },
    { at: 20, agents: [a, b] },
    { at: 30, agents: [a, b, c] },
  ];
  const up = (times: Readonly<Record<string, number>>) => (id: AgentId) => times[id] ?? 1_000;
  expect(mostStarting(seen, up({ a: 15 }))).toBe(2);
  expect(mostStarting(seen, up({ a: 15, b: 25 }))).toBe(1);
  expect(mostStarting(seen, up({}))).toBe(3);
  expect(mostStarting([], up({}))).toBe(0);
});
