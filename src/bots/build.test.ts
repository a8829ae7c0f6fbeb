import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { botId } from '../base/terms.ts';
import type { BotDefaults } from './bots.ts';
import { buildBot, buildOnlyBot, keyVariable } from './build.ts';
import { botFile } from './schema.ts';

const DEFAULTS: BotDefaults = {
  language: 'en',
  model: undefined,
  sessionScope: 'room',
  sessionTtlMs: 86_400_000,
  doubleTexting: 'enqueue',
  turnTimeoutMs: 180_000,
  keys: {},
  defaultKey: null,
  noShell: 'there is no sandbox',
};

const build = (file: object, prompt: string | null = null, defaults = DEFAULTS) =>
  buildBot(botFile.parse(file), prompt, defaults);
const notesOf = (file: object, prompt: string | null = null) =>
  build(file, prompt).notes.map(({ field, reason }) => `${field}: ${reason}`);

test('a file that says nothing is a bot by the defaults', () => {
  const { bot, notes } = build({});
  expect(notes).toEqual([]);
  expect(bot).toMatchObject({
    id: 'default',
    key: null,
    name: 'default',
    isDefault: false,
    model: undefined,
    models: [],
    thinkingBudgetTokens: undefined,
    builtinTools: ['Read', 'Grep', 'Glob', 'WebSearch', 'WebFetch'],
    mcpServers: {},
    env: {},
    language: 'en',
    sessionScope: 'room',
    sessionTtlMs: 86_400_000,
    doubleTexting: 'enqueue',
    turnTimeoutMs: 180_000,
    maxSteps: 30,
    maxTurnCostUsd: null,
    maxSessionCostUsd: null,
    maxUserDayCostUsd: null,
    acknowledge: false,
    recap: false,
    compactAboveTokens: 150_000,
    allowBots: false,
    allowedRooms: null,
    allowedUsers: null,
  });
  expect(bot.systemPrompt).toContain('You are default');
  expect(Object.isFrozen(bot)).toBe(true);
});

test('a file that says everything is that bot', () => {
  const { bot, notes } = build({
    bot_id: 'desk',
    bot_key: '3-abc',
    name: 'Desk',
    description: 'Front desk.',
    default: true,
    model_config: {
      model: 'some-model',
      models: ['other', 'other'],
      thinking: { enabled: true, budget_tokens: 2_000 },
    },
    system_prompt: 'Be kind.',
    tools: { builtin: ['Read', 'Write'] },
    mcp_servers: {
      web: { type: 'http', url: 'https://mcp.example.com', headers: { a: 'b' }, timeout: 5_000 },
    },
    env: { DEPTH: '3' },
    default_language: 'zh-Hans',
    session_scope: 'user',
    session_ttl: 'never',
    rooms: { '7': { session_ttl: '5m' }, '8': {}, '9': { session_ttl: 'never' } },
    double_texting: 'merge',
    turn_timeout_seconds: 0.5,
    limits: {
      max_steps: 5,
      max_turn_cost_usd: 0.5,
      max_session_cost_usd: 4,
      max_cost_usd_per_user_per_day: 2,
    },
    commands: { stop: 'nobody', reset: 'author', model: ['administrators', 7] },
    progress: { working: true },
    allow_bots: true,
    allowed_rooms: ['7'],
    allowed_users: [],
  });
  expect(notes).toEqual([]);
  expect(bot).toMatchObject({
    id: 'desk',
    key: '3-abc',
    name: 'Desk',
    description: 'Front desk.',
    isDefault: true,
    model: 'some-model',
    models: ['other'],
    thinkingBudgetTokens: 2_000,
    systemPrompt: 'Be kind.',
    builtinTools: ['Read', 'Write'],
    mcpServers: {
      web: { type: 'http', url: 'https://mcp.example.com', headers: { a: 'b' }, timeout: 5_000 },
    },
    env: { DEPTH: '3' },
    language: 'zh-CN',
    sessionScope: 'user',
    sessionTtlMs: null,
    roomTtlMs: new Map([
      ['7', 300_000],
      ['9', null],
    ]),
    doubleTexting: 'merge',
    turnTimeoutMs: 500,
    maxSteps: 5,
    maxTurnCostUsd: 0.5,
    maxSessionCostUsd: 4,
    maxUserDayCostUsd: 2,
    acknowledge: true,
    recap: false,
    compactAboveTokens: 150_000,
    allowBots: true,
    allowedRooms: new Set(['7']),
    allowedUsers: new Set(),
  });
});

describe('keys', () => {
  test.each([
    ['helper', 'BOT_KEY_HELPER'],
    ['front-desk.2', 'BOT_KEY_FRONT_DESK_2'],
  ])('the key of %s stands in %s', (id, variable) => {
    expect(keyVariable(botId(id))).toBe(variable);
    const { bot } = build({ bot_id: id, bot_key: '1-file' }, null, {
      ...DEFAULTS,
      keys: { [variable]: '1-env' },
    });
    expect(bot.key).toBe('1-env');
  });
});

describe('the prompt', () => {
  test('points to the header where it has variables, and keeps every other dollar', () => {
    const { bot } = build(
      { system_prompt_file: 'x.md' },
      `On $current_date for \${user_name}: $5, $DATE, $ and $$.`,
    );
    expect(bot.systemPrompt).toBe(
      "On the date in the message's header for the person named in the message's header: $5, $DATE, $ and $$.",
    );
  });

  test('takes the longest variable name', () => {
    const { bot } = build({
      system_prompt: '$current_datetime|$current_date_x|$room_name',
      default_language: 'zh',
    });
    expect(bot.systemPrompt).toBe('消息开头所写的日期和时间|$current_date_x|消息开头所写的房间');
  });

  test('is the file’s when there is one, else the field’s, else a plain one', () => {
    expect(build({ system_prompt: 'field' }, 'file').bot.systemPrompt).toBe('file');
    expect(build({ system_prompt: 'field' }).bot.systemPrompt).toBe('field');
    expect(build({ display_name: 'Ada', description: 'Counts.' }, ' \n').bot.systemPrompt).toMatch(
      /Ada.*Counts\./,
    );
    expect(notesOf({ system_prompt: 'field' }, 'file')).toEqual([
      expect.stringContaining('system_prompt: not used'),
    ]);
  });
});

test.each([
  [{ tools: { builtin: ['Read', 'Bash'] } }, ['tools.builtin: Bash is not given: there is no sandbox']],
  [{ tools: { builtin: ['Skill', 'Teleport'] } }, ['Skill is not given', 'Teleport is not given']],
  [
    { tools: { campfire: ['save_file'], skills: [] } },
    ['tools.campfire: this version does not give save_file'],
  ],
  [{ tools: { financial: ['calculate', 'find_account'] } }, ['does not give calculate, find_account']],
  [{ tools_enabled: ['process_file'] }, ['tools_enabled: this version does not give process_file']],
  [{ tools: { builtin: [] }, tools_enabled: ['process_file'] }, []],
  [
    { mcp_servers: ['campfire', 'financial'] },
    ['mcp_servers: this version does not give campfire, financial'],
  ],
  [{ mcp_servers: [] }, []],
  [
    { model_config: { temperature: 1, max_tokens: 9 } },
    ['temperature: not supported', 'max_tokens: not supported'],
  ],
  [{ capabilities: {}, settings: {} }, ['capabilities: not supported', 'settings: not supported']],
  [{ model: 'x' }, ['model: not supported here: use model_config.model']],
  [{ limits: { max_turn_cost_usd: 1 }, commands: { stop: 'nobody' } }, []],
  [{ default_language: 'fr' }, ['default_language: there are no texts']],
  [{ model_config: { thinking: { enabled: true, budget_tokens: 5 } } }, ['budget_tokens: too few']],
])('%j is said by name', (file, said) => {
  const notes = notesOf(file);
  expect(notes).toHaveLength(said.length);
  for (const [at, words] of said.entries()) expect(notes[at]).toContain(words);
});

test('a refused tool is not given', () => {
  expect(build({ tools: { builtin: ['Bash', 'Read', 'Read'] } }).bot.builtinTools).toEqual(['Read']);
});

test('Bash is given where there is a sandbox for it, and only to whom lists it', () => {
  const defaults = { ...DEFAULTS, noShell: null };
  const { bot, notes } = build({ tools: { builtin: ['Bash', 'Task'] } }, null, defaults);
  expect(bot.builtinTools).toEqual(['Bash']);
  expect(notes.map(({ reason }) => reason)).toEqual(['Task is not given: this version has no sub-agents']);
  expect(build({}, null, defaults).bot.builtinTools).not.toContain('Bash');
});

test('without a bot file there is Firekeeper itself', () => {
  const bot = buildOnlyBot({ ...DEFAULTS, keys: { BOT_KEY_DEFAULT: '2-x' } });
  expect(bot).toMatchObject({ id: 'default', name: 'firekeeper', isDefault: true, key: '2-x' });
});

test('docs/bots.md documents every field, and no other', () => {
  const page = readFileSync(new URL('../../docs/bots.md', import.meta.url), 'utf8');
  const cells = [...page.matchAll(/^\| (`.*?`) \|/gm)].map(([, cell = '']) => cell);
  const documented = cells.flatMap((cell) => [...cell.matchAll(/`([a-z_]+)/g)].map(([, field]) => field));
  expect([...new Set(documented)].sort()).toEqual(Object.keys(botFile.shape).sort());
});
