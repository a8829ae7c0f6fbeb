import { expect, test } from 'vitest';
import { type BudgetFacts, decideBudget } from './decide-budget.ts';

const unlimited: BudgetFacts = { sessionUsd: 100, maxSessionUsd: null, userDayUsd: 100, maxUserDayUsd: null };

test.each<[string, Partial<BudgetFacts>, ReturnType<typeof decideBudget>]>([
  ['nothing is limited', {}, null],
  ['a conversation below its limit', { maxSessionUsd: 101 }, null],
  ['a conversation at its limit', { maxSessionUsd: 100 }, 'session'],
  ['a conversation over its limit', { maxSessionUsd: 1 }, 'session'],
  ['a person below the limit of the day', { maxUserDayUsd: 101 }, null],
  ['a person at the limit of the day', { maxUserDayUsd: 100 }, 'day'],
  ['both: a new conversation would not help', { maxSessionUsd: 1, maxUserDayUsd: 1 }, 'day'],
])('%s', (_name, facts, expected) => {
  expect(decideBudget({ ...unlimited, ...facts })).toBe(expected);
});
