import { describe, expect, test } from 'vitest';
import { watchComparisons } from '../../test/fixtures/watch-comparisons.ts';
import type { Bot, BotDefaults } from './bots.ts';
import { buildBot } from './build.ts';
import { type Candidate, chooseBots, defaultOf, findByKey } from './choose.ts';
import type { BotFile } from './schema.ts';

const DEFAULTS: BotDefaults = {
  language: 'en',
  model: undefined,
  sessionScope: 'room',
  sessionTtlMs: null,
  doubleTexting: 'enqueue',
  turnTimeoutMs: 1,
  keys: {},
  defaultKey: null,
  noShell: null,
};

const bot = (file: BotFile): Bot => buildBot(file, null, DEFAULTS).bot;
const from = (file: string, id: string): Candidate => ({ file, bot: bot({ bot_id: id, name: file }) });
const choose = (candidates: readonly Candidate[], defaults: Partial<BotDefaults> = {}) =>
  chooseBots(candidates, { ...DEFAULTS, ...defaults });

test.each([
  [['a.json', 'b.yaml'], 'b.yaml'],
  [['b.yaml', 'a.json'], 'b.yaml'],
  [['b.yml', 'a.json'], 'b.yml'],
  [['a.json', 'c.json'], 'c.json'],
  [['a.yaml', 'b.json', 'c.yml'], 'c.yml'],
])('of %j the bot is the one of %s, and each other is told', (files, winner) => {
  const { bots, problems } = choose(files.map((file) => from(file, 'x')));
  expect(bots.map(({ name }) => name)).toEqual([winner]);
  expect(problems).toHaveLength(files.length - 1);
  for (const problem of problems) {
    expect(problem).toMatchObject({ severity: 'warning', field: 'bot_id' });
    expect(problem.file).not.toBe(winner);
  }
});

test.each([
  ['none', [], null],
  ['the only one', [{ bot_id: 'a' }], 'a'],
  ['nobody of two', [{ bot_id: 'a' }, { bot_id: 'b' }], null],
  ['the one named default', [{ bot_id: 'a' }, { bot_id: 'default' }], 'default'],
  ['the marked one', [{ bot_id: 'default' }, { bot_id: 'b', default: true }], 'b'],
  [
    'the first marked one',
    [
      { bot_id: 'a', default: true },
      { bot_id: 'b', default: true },
    ],
    'a',
  ],
])('the default bot is %s', (_name, files, id) => {
  expect(defaultOf(files.map(bot))?.id ?? null).toBe(id);
});

test('a second default and a shared key are told', () => {
  const { problems } = choose([
    { file: 'a.json', bot: bot({ bot_id: 'a', bot_key: '1-x', default: true }) },
    { file: 'b.json', bot: bot({ bot_id: 'b', bot_key: '1-x', default: true }) },
  ]);
  expect(problems.map(({ file, field }) => `${file} ${field}`)).toEqual(['b.json default', 'b.json bot_key']);
  expect(JSON.stringify(problems)).not.toContain('1-x');
});

describe('by key', () => {
  const bots = [
    bot({ bot_id: 'a', bot_key: '1-x' }),
    bot({ bot_id: 'b' }),
    bot({ bot_id: 'c', bot_key: '2-y' }),
  ];
  test.each([
    ['1-x', 'a'],
    ['2-y', 'c'],
    ['1-X', null],
    ['1-x ', null],
    ['', null],
  ])('%j is %s', (key, id) => {
    expect(findByKey(bots, key)?.id ?? null).toBe(id);
  });

  test('takes as long for the first bot, the last one or none', () => {
    const compare = watchComparisons();
    for (const key of ['1-x', '2-y', '9-z']) findByKey(bots, key);
    expect(compare).toHaveBeenCalledTimes(9);
  });
});

describe('BOT_KEY', () => {
  const keys = (bots: readonly Bot[]) => bots.map(({ key }) => key);
  test('is the default bot’s when nothing else names one', () => {
    const { bots } = choose([from('a.json', 'a'), from('b.json', 'default')], { defaultKey: '9-z' });
    expect(keys(bots)).toEqual([null, '9-z']);
  });

  test('takes nobody else’s key away', () => {
    const own = { file: 'b.json', bot: bot({ bot_id: 'b', bot_key: '9-z' }) };
    expect(keys(choose([from('a.json', 'default'), own], { defaultKey: '9-z' }).bots)).toEqual([null, '9-z']);
  });
});

test('a key of a bot that is not there is told', () => {
  const { problems } = choose([from('a.json', 'a-b')], { keys: { BOT_KEY_A_B: '1-x', BOT_KEY_GONE: '1-y' } });
  expect(problems).toEqual([
    { severity: 'warning', file: 'environment', field: 'BOT_KEY_GONE', reason: 'no bot has this id' },
  ]);
});
