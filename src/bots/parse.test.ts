import { expect, test } from 'vitest';
import { parseBotFile } from './parse.ts';

const yaml = (text: string) => parseBotFile('/bots/x.yaml', text);
const json = (value: unknown) => parseBotFile('/bots/x.json', JSON.stringify(value));

test('a file of the predecessor loads with every field that it knew', () => {
  const { value, problems } = yaml(`
bot_id: helper
bot_key: null
name: 助手
display_name: 助手 (Helper)
description: short text
model_config: { model: some-model, temperature: 0.7, max_tokens: 4096, thinking: { enabled: false, budget_tokens: 0 } }
system_prompt_file: helper.md
mcp_servers: [campfire]
tools:
  builtin: [WebSearch, WebFetch, Read, Grep, Glob, Task, Bash, Skill]
  campfire: [search_conversations, get_user_context]
languages: [zh-CN, en]
default_language: zh-CN
capabilities: { file_analysis: true }
settings: { max_context_messages: 10, response_style: friendly }
verification: { mode: strict }
knowledge_base:
response_style: friendly
`);
  expect(problems).toEqual([]);
  expect(value).toMatchObject({
    bot_id: 'helper',
    display_name: '助手 (Helper)',
    tools: { campfire: expect.any(Array) },
  });
  expect(value).not.toHaveProperty('bot_key');
});

test.each([
  ['90s', 90_000],
  ['5m', 300_000],
  ['6h', 21_600_000],
  ['0.5h', 1_800_000],
  ['2 d', 172_800_000],
  ['never', null],
])('session_ttl %s', (session_ttl, ms) => {
  const { value } = json({ session_ttl, rooms: { '7': { session_ttl } } });
  expect(value?.session_ttl).toBe(ms);
  expect(value?.rooms?.['7']?.session_ttl).toBe(ms);
});

test.each([
  [{ session_ttl: '6' }, 'session_ttl'],
  [{ session_ttl: 6 }, 'session_ttl'],
  [{ session_ttl: '0h' }, 'session_ttl'],
  [{ session_ttl: '9999d' }, 'session_ttl'],
  [{ bot_id: '../up' }, 'bot_id'],
  [{ bot_id: '' }, 'bot_id'],
  [{ bot_id: 'x'.repeat(65) }, 'bot_id'],
  [{ bot_key: '3-abc/messages' }, 'bot_key'],
  [{ name: 5 }, 'name'],
  [{ tools: ['Read'] }, 'tools'],
  [{ tools: { builtin: 'Read' } }, 'tools.builtin'],
  [{ turn_timeout_seconds: 0 }, 'turn_timeout_seconds'],
  [{ limits: { max_steps: 1.5 } }, 'limits.max_steps'],
  [{ double_texting: 'maybe' }, 'double_texting'],
  [{ rooms: { '7': { session_ttl: 'soon' } } }, 'rooms.7.session_ttl'],
  [{ env: { ANTHROPIC_API_KEY: 'x' } }, 'env.ANTHROPIC_API_KEY'],
  [{ env: { FIREKEEPER_AGENT: 'x' } }, 'env.FIREKEEPER_AGENT'],
  [{ env: { 'NO NAME': 'x' } }, 'env.NO NAME'],
  [{ mcp_servers: { web: { url: 'http://x' } } }, 'mcp_servers'],
  [{ mcp_servers: { web: { type: 'http', url: 'file:///x' } } }, 'mcp_servers.web.url'],
])('%j is an error in %s', (file, field) => {
  const { value, problems } = json(file);
  expect(value).toBeNull();
  expect(problems).toEqual([{ severity: 'error', file: '/bots/x.json', field, reason: expect.any(String) }]);
});

test('numbers serve as ids, names and values that YAML read as numbers', () => {
  const { value } = yaml('bot_id: 12\nallowed_rooms: [1, "2"]\nenv: { DEPTH: 3, DEEP: true }\n');
  expect(value).toMatchObject({ bot_id: '12', allowed_rooms: ['1', '2'], env: { DEPTH: '3', DEEP: 'true' } });
});

test('unknown fields are warnings by their whole name, and the rest loads', () => {
  const { value, problems } = json({
    bot_id: 'a',
    colour: 'red',
    limits: { max_steps: 3, max_words: 9 },
    rooms: { '7': { mood: 1 } },
  });
  expect(value).toMatchObject({ bot_id: 'a', limits: { max_steps: 3 } });
  expect(problems.map(({ severity, field }) => [severity, field])).toEqual([
    ['warning', 'rooms.7.mood'],
    ['warning', 'limits.max_words'],
    ['warning', 'colour'],
  ]);
});

test.each([
  ['/bots/x.yaml', 'bot_id: a\nname: [unclosed\nbot_key: 3-hush\n', /^not valid YAML: .*\(line \d\)$/],
  ['/bots/x.yaml', 'a: 1\na: 2\n', /^not valid YAML: duplicate key \(line 2\)$/],
  ['/bots/x.json', '{"bot_id": "a",\n"bot_key": "3-hush",\n}', /^not valid JSON \(line 3\)$/],
  ['/bots/x.json', 'nonsense hush', /^not valid JSON/],
  ['/bots/x.yaml', '', /^not a mapping/],
  ['/bots/x.yaml', '- a\n', /^not a mapping/],
])('%s with %j says what is wrong and where, and no word of it', (file, text, reason) => {
  const { value, problems } = parseBotFile(file, text);
  expect(value).toBeNull();
  expect(problems[0]?.reason).toMatch(reason);
  expect(JSON.stringify(problems)).not.toContain('hush');
});

test('an error in a field names its line', () => {
  const { problems } = yaml('bot_id: a\n\nlimits:\n  max_steps: many\n');
  expect(problems[0]).toMatchObject({
    field: 'limits.max_steps',
    reason: expect.stringContaining('(line 4)'),
  });
});

test('aliases that multiply are refused', () => {
  const levels = Array.from(
    { length: 9 },
    (_, at) => `l${at + 1}: &l${at + 1} [${'*l'.concat(String(at), ', ').repeat(9)}]`,
  );
  expect(yaml(`l0: &l0 [x]\n${levels.join('\n')}\n`).value).toBeNull();
});
