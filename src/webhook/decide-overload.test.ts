import { describe, expect, it } from 'vitest';
import { decideOverload, type OverloadFacts, RATES, type Rate } from './decide-overload.ts';

const calm: OverloadFacts = {
  isOurs: false,
  isLate: false,
  isCommand: false,
  waiting: 0,
  empty: new Set(),
};
const full = { waiting: 10_000 };
const without = (...rates: readonly Rate[]) => ({ empty: new Set(rates) });

describe('a message', () => {
  it.each<[string, Partial<OverloadFacts>, ReturnType<typeof decideOverload>]>([
    ['costs its author, room and bot one', {}, { kind: 'pass', costs: RATES }],
    ['of too many by its author', without('user'), { kind: 'over', rate: 'user' }],
    ['of too many in its room', without('room'), { kind: 'over', rate: 'room' }],
    ['of too many to its bot', without('bot'), { kind: 'over', rate: 'bot' }],
    ['of too many of all', without('bot', 'room', 'user'), { kind: 'over', rate: 'user' }],
    ['with 9,999 before it', { waiting: 9_999 }, { kind: 'pass', costs: RATES }],
    ['with 10,000 before it', full, { kind: 'full' }],
    ['that is late costs nothing', { isLate: true, ...without(...RATES) }, { kind: 'pass', costs: [] }],
    ['that is late, with 10,000 before it', { isLate: true, ...full }, { kind: 'full' }],
    ['of another of our bots', { isOurs: true, ...without(...RATES) }, { kind: 'pass', costs: [] }],
    ['that is a command costs its author', { isCommand: true }, { kind: 'pass', costs: ['user'] }],
    [
      'that is a command is heard in a flood',
      { isCommand: true, ...full, ...without('room', 'bot') },
      { kind: 'pass', costs: ['user'] },
    ],
    [
      'that is one command of too many',
      { isCommand: true, ...without('user') },
      { kind: 'over', rate: 'user' },
    ],
  ])('%s', (_name, facts, decision) => {
    expect(decideOverload({ ...calm, ...facts })).toEqual(decision);
  });
});
