import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { defaultOf, SECRETS, VARIABLE_NAMES, WHEN_UNSET } from './config/variables.ts';
import { ConfigError, describeConfig, loadConfig, readConfig } from './config.ts';

const MACHINE = { memoryMb: 8_192, timeZone: 'Europe/Berlin' };
const read = (env: Record<string, string>, machine = MACHINE) => readConfig(env, '/srv/fire', machine);

function problemsOf(env: Record<string, string>) {
  try {
    read(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('defaults', () => {
  test('an empty environment is a whole configuration', () => {
    const { config, warnings } = read({});
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 5000,
      publicUrl: null,
      dataDir: '/srv/fire/data',
      databaseUrl: null,
      campfireUrl: null,
      botsDirs: ['/srv/fire/bots'],
      model: { kind: 'offline' },
      sessionTtlMs: 86_400_000,
      sessionMode: 'stateful',
      sessionResume: true,
      sessionScope: 'room',
      rewarmSessions: 4,
      turnTimeoutMs: 180_000,
      stuckAfterMs: 90_000,
      queueWaitMs: 300_000,
      messageMaxAgeMs: 86_400_000,
      drainMs: 8_000,
      doubleTexting: 'enqueue',
      catchUpMs: 21_600_000,
      floodLimits: { perMinute: { user: 30, room: 60, bot: 300 }, waitingInConversation: 20 },
      retentionMs: 2_592_000_000,
      timeZone: 'Europe/Berlin',
      language: 'en',
      logLevel: 'info',
    });
  });

  test.each([
    ['8 GB', 8_192, {}, { agentMemoryBudgetMb: 4_608, maxHotSessions: 15, spareAgents: 1 }],
    ['2 GB', 2_048, {}, { agentMemoryBudgetMb: 921, maxHotSessions: 3, spareAgents: 0 }],
    ['256 MB', 256, {}, { agentMemoryBudgetMb: 300, maxHotSessions: 1, spareAgents: 0 }],
    [
      'a budget of its own',
      8_192,
      { AGENT_MEMORY_BUDGET_MB: '900' },
      { agentMemoryBudgetMb: 900, maxHotSessions: 3 },
    ],
    [
      'a number of its own',
      8_192,
      { MAX_HOT_SESSIONS: '2', SPARE_AGENTS: '0' },
      { maxHotSessions: 2, spareAgents: 0 },
    ],
  ])('memory limits on %s', (_name, memoryMb, env, expected) => {
    expect(read(env, { ...MACHINE, memoryMb }).config).toMatchObject(expected);
  });

  test('the configuration is frozen to its depths', () => {
    const { config } = read({ ANTHROPIC_API_KEY: 'k' });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.botsDirs)).toBe(true);
    expect(config.model.kind === 'endpoint' && Object.isFrozen(config.model.primary.env)).toBe(true);
  });
});

describe('values', () => {
  test.each([
    ['SESSION_TTL_HOURS', '0.083', { sessionTtlMs: 298_800 }],
    ['TURN_TIMEOUT_SECONDS', '0.5', { turnTimeoutMs: 500 }],
    ['DRAIN_SECONDS', '0', { drainMs: 0 }],
    ['CATCH_UP_HOURS', '0', { catchUpMs: 0 }],
    ['FLOOD_LIMITS', 'off', { floodLimits: null }],
    [
      'FLOOD_LIMITS',
      '1, 2,3 ,4',
      { floodLimits: { perMinute: { user: 1, room: 2, bot: 3 }, waitingInConversation: 4 } },
    ],
    ['PORT', '0', { port: 0 }],
    ['PORT', ' 8080 ', { port: 8080 }],
    ['PORT', '', { port: 5000 }],
    ['HOST', '::1', { host: '::1' }],
    ['HOST', '[::1]', { host: '::1' }],
    ['HOST', 'localhost', { host: 'localhost' }],
    ['CAMPFIRE_URL', 'https://chat.example.com/', { campfireUrl: 'https://chat.example.com' }],
    ['CAMPFIRE_URL', 'http://10.0.0.1:3000/camp/', { campfireUrl: 'http://10.0.0.1:3000/camp' }],
    ['CAMPFIRE_DB_PATH', 'storage/db.sqlite3', { campfireDbPath: '/srv/fire/storage/db.sqlite3' }],
    ['BOTS_DIRS', './bots, /etc/bots,,./bots', { botsDirs: ['/srv/fire/bots', '/etc/bots'] }],
    ['DATA_DIR', '/var/lib/fire', { dataDir: '/var/lib/fire' }],
    ['DATABASE_URL', 'postgres://u:p@db/fire', { databaseUrl: 'postgres://u:p@db/fire' }],
    ['SESSION_RESUME', 'OFF', { sessionResume: false }],
    ['LOG_LEVEL', 'DEBUG', { logLevel: 'debug' }],
    ['TIME_ZONE', 'Asia/Shanghai', { timeZone: 'Asia/Shanghai' }],
    ['LANG', 'zh_CN.UTF-8', { language: 'zh-CN' }],
    ['LANG', 'zha_XX', { language: 'en' }],
    ['BOT_KEY_HELPER', '3-abc', { botKeys: { BOT_KEY_HELPER: '3-abc' } }],
  ])('%s=%s', (name, value, expected) => {
    expect(read({ [name]: value }).config).toMatchObject(expected);
  });

  test.each([
    ['FLOOD_LIMITS', '30,60,300'],
    ['FLOOD_LIMITS', '30,60,300,0'],
    ['FLOOD_LIMITS', '30,60,300,20,1'],
    ['FLOOD_LIMITS', '30,,300,20'],
    ['PORT', '65536'],
    ['PORT', '5000.5'],
    ['PORT', '0x10'],
    ['HOST', 'a host'],
    ['SESSION_TTL_HOURS', '0'],
    ['SESSION_TTL_HOURS', '-1'],
    ['SESSION_TTL_HOURS', '5m'],
    ['SESSION_TTL_HOURS', 'NaN'],
    ['TURN_TIMEOUT_SECONDS', '1e9'],
    ['MAX_HOT_SESSIONS', '0'],
    ['MEMORY_HIGH_WATERMARK', '1.5'],
    ['CAMPFIRE_URL', 'chat.example.com'],
    ['CAMPFIRE_URL', '/campfire'],
    ['CAMPFIRE_URL', 'ftp://chat.example.com'],
    ['CAMPFIRE_URL', 'https://chat.example.com/?a=b'],
    ['DATABASE_URL', 'mysql://db/fire'],
    ['BOTS_DIRS', ','],
    ['SESSION_MODE', 'both'],
    ['OFFLINE_MODEL', 'yes'],
    ['TIME_ZONE', 'Mars/Base'],
    ['WEBHOOK_TOKEN', 'two words'],
  ])('%s=%s is refused by name', (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual([
      { variable: name, read: expect.any(String), allowed: expect.any(String) },
    ]);
  });

  test('every problem is listed with what was read and what is allowed', () => {
    const problems = problemsOf({ HOST: '0.0.0.0', PORT: 'many', DRAIN_SECONDS: 'soon' });
    expect(problems.map(({ variable }) => variable).sort()).toEqual([
      'DRAIN_SECONDS',
      'PORT',
      'WEBHOOK_TOKEN',
    ]);
    expect(problems).toContainEqual({
      variable: 'PORT',
      read: '"many"',
      allowed: 'a whole number from 0 to 65535',
    });
    expect(new ConfigError(problems).message).toContain('PORT: read "many"; allowed: a whole number');
  });

  test('secrets are not told, in errors neither', () => {
    const problems = problemsOf({
      WEBHOOK_TOKEN: 'my secret words',
      CAMPFIRE_URL: 'https://jane:hush@chat.example.com',
      DATABASE_URL: 'mysql://u:hush@db',
    });
    expect(problems).toHaveLength(3);
    expect(new ConfigError(problems).message).not.toMatch(/secret words|hush/);
  });

  test.each(['0.0.0.0', '::', '192.168.1.5', 'fire.example.com'])('HOST=%s needs a webhook token', (host) => {
    expect(problemsOf({ HOST: host })[0]?.variable).toBe('WEBHOOK_TOKEN');
    expect(problemsOf({ HOST: host, WEBHOOK_TOKEN: 't' })).toEqual([]);
  });
});

describe('names that are not ours', () => {
  test.each([
    ['BOTS_DIR', 'BOTS_DIRS'],
    ['FASTAPI_PORT', 'PORT'],
    ['FLASK_PORT', 'PORT'],
    ['FILE_DOWNLOAD_BASE_URL', 'PUBLIC_URL'],
    ['CONTEXT_DIR', 'DATA_DIR'],
    ['TESTING', 'OFFLINE_MODEL'],
    ['BRIEFING_BOT_KEY', 'BOT_KEY_BRIEFING_ASSISTANT'],
    ['FIREKEEPER_PORT', 'use PORT'],
    ['FIREKEEPER_NOTHING', 'unknown'],
  ])('%s warns and says %s', (name, said) => {
    const { warnings } = read({ [name]: '1' });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(name);
    expect(warnings[0]).toContain(said);
  });

  test('BOTS_DIR is read in place of BOTS_DIRS, unless that is set', () => {
    expect(read({ BOTS_DIR: '/a' }).config.botsDirs).toEqual(['/a']);
    expect(read({ BOTS_DIR: '/a', BOTS_DIRS: '/b' }).config.botsDirs).toEqual(['/b']);
  });

  test('variables of other programs are left alone', () => {
    expect(read({ HOME: '/root', EDITOR: 'vi', PWD: '/' }).warnings).toEqual([]);
  });
});

describe('the model', () => {
  const key = { ANTHROPIC_API_KEY: 'sk-1' };
  const campfire = { CAMPFIRE_URL: 'https://chat.example.com' };
  test.each([
    [{}, 'offline'],
    [{ OFFLINE_MODEL: 'off' }, 'none'],
    [campfire, 'none'],
    [{ ...campfire, OFFLINE_MODEL: 'on' }, 'offline'],
    [{ ...campfire, ...key }, 'endpoint'],
    [key, 'endpoint'],
    [{ ...key, OFFLINE_MODEL: 'on' }, 'offline'],
    [{ ...key, OFFLINE_MODEL: 'off' }, 'endpoint'],
    [{ ANTHROPIC_AUTH_TOKEN: 't' }, 'endpoint'],
    [{ CLAUDE_CODE_OAUTH_TOKEN: 't' }, 'endpoint'],
    [{ CLAUDE_CODE_USE_BEDROCK: '1' }, 'endpoint'],
    [{ CLAUDE_CODE_USE_BEDROCK: '0' }, 'offline'],
    [{ ANTHROPIC_BASE_URL: 'http://127.0.0.1:9000' }, 'endpoint'],
    [{ ANTHROPIC_API_KEY_FALLBACK: 'sk-2' }, 'offline'],
  ])('%j → %s', (env, kind) => {
    expect(read(env).config.model.kind).toBe(kind);
  });

  test('a Campfire without a credential says why it is not ready', () => {
    const { model } = read(campfire).config;
    expect(model.kind === 'none' && model.reason).toMatch(
      /CAMPFIRE_URL.*ANTHROPIC_API_KEY.*OFFLINE_MODEL=on/,
    );
  });

  test('each endpoint is given its own variables and no others', () => {
    const { model } = read({
      ...key,
      ANTHROPIC_CUSTOM_HEADERS: 'x: y',
      ANTHROPIC_API_KEY_FALLBACK: 'sk-2',
      ANTHROPIC_BASE_URL_FALLBACK: 'https://second.example.com/',
      FALLBACK_MODEL: 'small',
      WEBHOOK_TOKEN: 't',
      BOT_KEY: '1-a',
      AWS_SECRET_ACCESS_KEY: 'not for a model that is not on Bedrock',
    }).config;
    expect(model).toEqual({
      kind: 'endpoint',
      primary: { name: 'primary', env: { ANTHROPIC_API_KEY: 'sk-1', ANTHROPIC_CUSTOM_HEADERS: 'x: y' } },
      fallback: {
        name: 'fallback',
        env: { ANTHROPIC_API_KEY: 'sk-2', ANTHROPIC_BASE_URL: 'https://second.example.com' },
        model: 'small',
      },
    });
  });

  test('a cloud is given its own client’s variables', () => {
    const env = { CLAUDE_CODE_USE_BEDROCK: '1', AWS_REGION: 'eu-west-1', GOOGLE_CLOUD_PROJECT: 'p' };
    const { model } = read(env).config;
    expect(model.kind === 'endpoint' && model.primary.env).toEqual({
      CLAUDE_CODE_USE_BEDROCK: '1',
      AWS_REGION: 'eu-west-1',
    });
  });

  test('a second endpoint without a key of its own is none, and a warning', () => {
    const { config, warnings } = read({ ...key, ANTHROPIC_BASE_URL_FALLBACK: 'https://second.example.com' });
    expect(config.model).toMatchObject({ kind: 'endpoint', fallback: null });
    expect(warnings).toEqual([expect.stringContaining('ANTHROPIC_API_KEY_FALLBACK')]);
  });
});

describe('what an agent inherits', () => {
  test('only the allow-list', () => {
    const { agentEnv } = read({
      PATH: '/bin',
      LANG: 'C',
      LC_TIME: 'C',
      SSL_CERT_FILE: '/ca.pem',
      HOME: '/root',
      ANTHROPIC_API_KEY: 'k',
      WEBHOOK_TOKEN: 't',
      DATABASE_URL: 'postgres://db/x',
      NODE_OPTIONS: '--inspect',
      TIME_ZONE: 'Asia/Shanghai',
    }).config;
    expect(agentEnv).toEqual({
      PATH: '/bin',
      LANG: 'C',
      LC_TIME: 'C',
      SSL_CERT_FILE: '/ca.pem',
      TZ: 'Asia/Shanghai',
    });
  });

  test('behind a proxy this machine is still asked directly', () => {
    const { agentEnv } = read({ https_proxy: 'http://proxy:3128', NO_PROXY: '.example.com' }).config;
    expect(agentEnv).toMatchObject({
      https_proxy: 'http://proxy:3128',
      NO_PROXY: '.example.com,localhost,127.0.0.1,::1',
      no_proxy: '.example.com,localhost,127.0.0.1,::1',
    });
  });
});

describe('.env', () => {
  test('is read from the working directory; the real environment wins, empty values too', () => {
    const cwd = mkdtempSync(join(tmpdir(), 'firekeeper-config-'));
    onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
    writeFileSync(
      join(cwd, '.env'),
      'RETENTION_DAYS=7\nPATH=/nowhere\n# a remark\nBOT_KEY_FROM_FILE="5-x"\n',
    );
    const { config } = loadConfig(cwd);
    expect(config.retentionMs).toBe(7 * 86_400_000);
    expect(config.botKeys).toMatchObject({ BOT_KEY_FROM_FILE: '5-x' });
    expect(config.agentEnv.PATH).not.toBe('/nowhere');
  });
});

describe('what doctor prints', () => {
  test('every variable, effective, with no secret in it', () => {
    const env: Record<string, string> = { PORT: '1', BOT_KEY_HELPER: 'hush', CLAUDE_CODE_USE_VERTEX: '1' };
    for (const name of SECRETS) env[name] = 'hush-hush';
    env.DATABASE_URL = 'postgres://fire:hush@db.example.com/fire?password=hush';
    env.REDIS_URL = 'redis://:hush@cache:6379/0';
    const lines = describeConfig(read(env).config);
    expect(lines.map((line) => line.variable)).toEqual([
      ...VARIABLE_NAMES,
      'BOT_KEY_HELPER',
      'CLAUDE_CODE_USE_VERTEX',
    ]);
    expect(JSON.stringify(lines)).not.toContain('hush');
    expect(lines).toContainEqual({ variable: 'PORT', value: '1', from: 'set' });
    expect(lines).toContainEqual({ variable: 'MAX_HOT_SESSIONS', value: '15', from: 'default' });
    expect(lines).toContainEqual({
      variable: 'DATABASE_URL',
      value: 'postgres://db.example.com/fire',
      from: 'set',
    });
  });
});

describe('docs/configuration.md', () => {
  const rows = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  const documented = new Map(rows.map(([, name, value]) => [name?.replaceAll('`', ''), value]));

  test.each(VARIABLE_NAMES)('%s stands there with its default', (name) => {
    const value = defaultOf(name);
    expect(documented.get(name)).toBe(value === null ? (WHEN_UNSET[name] ?? 'none') : `\`${value}\``);
  });

  test('names no variable that is not read', () => {
    const wildcards = ['BOT_KEY_<BOT_ID>', 'CLAUDE_CODE_USE_*'];
    expect([...documented.keys()].filter((name) => !wildcards.includes(name ?? ''))).toEqual([
      ...VARIABLE_NAMES,
    ]);
  });
});

test('.env.example names every variable, each commented out with its default', () => {
  const lines = readFileSync(new URL('../.env.example', import.meta.url), 'utf8').split('\n');
  for (const name of VARIABLE_NAMES) {
    const line = lines.find((candidate) => candidate.startsWith(`#${name}=`));
    expect(line, name).toBeDefined();
    const value = defaultOf(name);
    if (value !== null) expect(line).toBe(`#${name}=${value}`);
  }
});
