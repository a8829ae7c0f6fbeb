import { expect, test } from 'vitest';
import { roomId, userId } from '../base/terms.ts';
import { type Arrival, type ArrivalFacts, decideArrival } from './decide-arrival.ts';

const bot = { allowBots: false, allowedRooms: null, allowedUsers: null, doubleTexting: 'enqueue' } as const;
const stop = { name: 'stop', argument: null } as const;
const facts: ArrivalFacts = {
  message: { roomId: roomId(2), userId: userId(5) },
  bot,
  authorIsOurs: false,
  command: null,
};

test.each<[string, Partial<ArrivalFacts>, Arrival]>([
  ['a message waits for its turn', {}, 'wait'],
  ['a command is one', { command: stop }, 'command'],
  ['a message where others are turned away', { bot: { ...bot, doubleTexting: 'reject' } }, 'reject-if-busy'],
  [
    'a command where others are turned away',
    { command: stop, bot: { ...bot, doubleTexting: 'reject' } },
    'command',
  ],
  ['a message for a bot that is gone', { bot: null, command: stop }, 'wait'],
  ['what a bot of ours says is ignored', { authorIsOurs: true }, 'ignore'],
  ['what a bot of ours says is no command', { authorIsOurs: true, command: stop }, 'ignore'],
  [
    'what a bot of ours says waits where bots are answered, and is no command',
    { authorIsOurs: true, command: stop, bot: { ...bot, allowBots: true, doubleTexting: 'reject' } },
    'wait',
  ],
  [
    'a command from a room that is not listed is not one',
    { command: stop, bot: { ...bot, allowedRooms: new Set(['3']) } },
    'wait',
  ],
  [
    'a command of a person who is not listed is not one',
    { command: stop, bot: { ...bot, allowedUsers: new Set(['6']) } },
    'wait',
  ],
  [
    'whoever is not listed is not even turned away',
    { bot: { ...bot, doubleTexting: 'reject', allowedUsers: new Set() } },
    'wait',
  ],
  [
    'a command of a listed person in a listed room',
    { command: stop, bot: { ...bot, allowedUsers: new Set(['5']), allowedRooms: new Set(['2']) } },
    'command',
  ],
])('%s', (_name, more, expected) => {
  expect(decideArrival({ ...facts, ...more })).toBe(expected);
});
