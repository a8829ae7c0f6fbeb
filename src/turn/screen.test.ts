import { describe, expect, it } from 'vitest';
import { roomId, userId } from '../base/terms.ts';
import { type ScreeningFacts, screen } from './screen.ts';

const DAY = 86_400_000;
const message = { text: 'hello', userId: userId(5), roomId: roomId(2), acceptedAt: 10 * DAY };
const everybody = { allowBots: false, allowedRooms: null, allowedUsers: null };
const base: ScreeningFacts = {
  message,
  bot: everybody,
  authorIsBot: false,
  botTurns: { inARow: 0, lastHour: 0 },
  now: 10 * DAY,
  maxAgeMs: DAY,
};
const runs = { kind: 'run' };
const fromBot = { kind: 'ignore', reason: 'bot' };
const notAllowed = { kind: 'ignore', reason: 'not_allowed' };
const overloaded = { kind: 'notice', notice: 'overloaded' };
const help = { kind: 'notice', notice: 'help' };
const botsAllowed = { ...everybody, allowBots: true };

const cases: readonly [string, Partial<ScreeningFacts>, object][] = [
  ["a person's message runs", {}, runs],
  ['an author of whom nothing is known runs', { authorIsBot: null }, runs],

  ["another bot's message is ignored", { authorIsBot: true }, fromBot],
  ["another bot's message runs where bots are allowed", { authorIsBot: true, bot: botsAllowed }, runs],
  [
    'the third turn in a row that a bot started runs',
    { authorIsBot: true, bot: botsAllowed, botTurns: { inARow: 2, lastHour: 2 } },
    runs,
  ],
  [
    'the fourth turn in a row that a bot started is ignored',
    { authorIsBot: true, bot: botsAllowed, botTurns: { inARow: 3, lastHour: 3 } },
    fromBot,
  ],
  [
    'the twentieth turn of an hour that a bot started runs',
    { authorIsBot: true, bot: botsAllowed, botTurns: { inARow: 0, lastHour: 19 } },
    runs,
  ],
  [
    'the twenty-first turn of an hour that a bot started is ignored',
    { authorIsBot: true, bot: botsAllowed, botTurns: { inARow: 0, lastHour: 20 } },
    fromBot,
  ],
  ['a person is never held by the loop breaker', { botTurns: { inARow: 99, lastHour: 99 } }, runs],

  ['a listed room runs', { bot: { ...everybody, allowedRooms: new Set(['2']) } }, runs],
  [
    'a room that is not listed is ignored',
    { bot: { ...everybody, allowedRooms: new Set(['3']) } },
    notAllowed,
  ],
  ['no room is listed: all are ignored', { bot: { ...everybody, allowedRooms: new Set() } }, notAllowed],
  ['a listed user runs', { bot: { ...everybody, allowedUsers: new Set(['5']) } }, runs],
  [
    'a user who is not listed is ignored',
    { bot: { ...everybody, allowedUsers: new Set(['6']) } },
    notAllowed,
  ],
  [
    'a user who is not listed is told nothing, however old the message',
    { bot: { ...everybody, allowedUsers: new Set(['6']) }, now: 99 * DAY },
    notAllowed,
  ],

  ['a message exactly as old as allowed runs', { now: 11 * DAY }, runs],
  ['an older one ends as overloaded', { now: 11 * DAY + 1 }, overloaded],
  ['a mention without text gets help', { message: { ...message, text: '' } }, help],
  ['white space is no text', { message: { ...message, text: ' \n\t ' } }, help],
  [
    'an old mention without text ends as overloaded',
    { message: { ...message, text: '' }, now: 99 * DAY },
    overloaded,
  ],
  [
    'a bot without text is ignored, not helped',
    { message: { ...message, text: '' }, authorIsBot: true },
    fromBot,
  ],
];

describe('screen', () => {
  it.each(cases)('%s', (_name, facts, expected) => {
    expect(screen({ ...base, ...facts })).toEqual(expected);
  });
});
