import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { makeTempFolder } from '../../test/setup/temp.ts';
import type { AgentProbe } from '../agent/agent.ts';
import { systemClock } from '../base/clock.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import { runCli } from './cli.ts';
import type { CliDeps } from './command.ts';
import type { ChatProbe } from './doctor-agent.ts';

let cwd: string;
beforeEach(() => {
  cwd = makeTempFolder();
});

async function run(args: readonly string[], given: Partial<CliDeps> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCli(args, {
    cwd,
    callerCwd: cwd,
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    start: async () => 0,
    doctorChecks: async () => null,
    openFolder: async () => ({ kind: 'missing' }),
    ...given,
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

function configure(variables: Record<string, string>): void {
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  writeFileSync(join(cwd, '.env'), lines.join('\n'));
}

describe('any command', () => {
  test.each([
    [['--help'], 0],
    [['help'], 0],
    [['start', '--help'], 0],
    [['doctor', '-h'], 0],
    [['bot', 'new', '--help'], 0],
    [['project', '--help'], 0],
    [['sessions', 'help'], 0],
    [[], 2],
    [['fly'], 2],
    [['bot'], 2],
    [['bot', 'old'], 2],
    [['doctor', '--loud'], 2],
    [['doctor', 'more'], 2],
    [['start', 'more'], 2],
    [['bot', 'new'], 2],
    [['bot', 'new', 'a', 'b'], 2],
    [['bot', 'new', '../up'], 2],
    [['bot', 'new', 'a', '--name'], 2],
    [['sessions'], 2],
    [['sessions', 'list', '--limit', '0'], 2],
    [['sessions', 'list', '--limit', 'all'], 2],
    [['sessions', 'show'], 2],
    [['sessions', 'reset'], 2],
    [['sessions', 'export', 'a', 'b', 'c'], 2],
    [['sessions', 'export', '--help'], 0],
    [['inbox', 'list', '--limit', '501'], 2],
    [['inbox', 'replay', 'seven'], 2],
    [['import-session-cache'], 2],
    [['import-session-cache', '--help'], 0],
    [['backup'], 2],
    [['backup', 'a', 'b'], 2],
    [['restore'], 2],
    [['restore', 'a', '--gently'], 2],
    [['restore', '--help'], 0],
  ])('%j exits with %i and says how it is used', async (args, code) => {
    const said = await run(args);
    expect(said.code).toBe(code);
    expect(code === 0 ? said.out : said.err).toContain('Usage: firekeeper');
    expect(code === 0 ? said.err : said.out).toBe('');
  });

  test('a wrong configuration is told with every problem and fails', async () => {
    configure({ PORT: 'many', DRAIN_SECONDS: 'soon' });
    const told = await run(['doctor']);
    expect(told.code).toBe(1);
    expect(told.err).toMatch(/PORT[\s\S]*DRAIN_SECONDS/);
    const { code, out } = await run(['doctor', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      problems: [{ variable: 'PORT' }, { variable: 'DRAIN_SECONDS' }],
    });
  });
});

describe('start', () => {
  test.each([
    [0, 0],
    [1, 1],
    [143, 1],
  ])('a server that ended with %i exits with %i', async (ended, code) => {
    expect((await run(['start'], { start: async () => ended })).code).toBe(code);
  });
});

describe('bot new', () => {
  const read = (path: string) => readFileSync(join(cwd, 'bots', path), 'utf8');

  test('writes a bot and its prompt that load without a word', async () => {
    const { code, out } = await run([
      'bot',
      'new',
      'front-desk',
      '--name',
      'Front: "Desk"',
      '--default',
      '--json',
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      ok: true,
      bot_id: 'front-desk',
      files: [join(cwd, 'bots/front-desk.yaml'), join(cwd, 'bots/prompts/front-desk.md')],
    });
    const { checks } = JSON.parse((await run(['doctor', '--json'])).out);
    const bots = checks.filter(({ name }: { name: string }) => name.startsWith('Bot'));
    expect(bots).toMatchObject([
      { name: 'Bot front-desk', state: 'ok', detail: expect.stringContaining('Front: "Desk" (default)') },
    ]);
  });

  test.each(['a.yaml', 'a.yml', 'a.json', 'prompts/a.md'])('overwrites nothing: %s', async (file) => {
    mkdirSync(join(cwd, 'bots/prompts'), { recursive: true });
    writeFileSync(join(cwd, 'bots', file), 'mine');
    const { code, err } = await run(['bot', 'new', 'a']);
    expect(code).toBe(1);
    expect(err).toContain(file);
    expect(read(file)).toBe('mine');
    expect(existsSync(join(cwd, 'bots/a.yaml')) && file !== 'a.yaml').toBe(false);
  });
});

describe('backup and restore', () => {
  const from = (folder: string, args: readonly string[]) => run(args, { callerCwd: join(cwd, folder) });

  async function makeDatabase(): Promise<void> {
    mkdirSync(join(cwd, 'data'));
    mkdirSync(join(cwd, 'backups'));
    await (await openSqlite(join(cwd, 'data/firekeeper.sqlite'), systemClock)).close();
  }

  test('mean files where the caller stands, and the data folder of the checkout', async () => {
    await makeDatabase();
    const made = await from('backups', ['backup', 'monday', '--json']);
    const file = join(cwd, 'backups/monday');
    expect(made.code).toBe(0);
    expect(JSON.parse(made.out)).toEqual({
      ok: true,
      file,
      bytes: readFileSync(file).length,
      conversations: 0,
      files: 0,
      left_out: [],
    });
    const refused = await from('backups', ['restore', 'monday', '--json']);
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.out)).toMatchObject({ ok: false, reason: expect.stringContaining('--force') });
    const restored = await from('backups', ['restore', 'monday', '--force']);
    expect(restored).toMatchObject({ code: 0, err: '' });
    expect(restored.out).toContain(join(cwd, 'data/before-restore-'));
  });

  test('tell people what was done and what was not', async () => {
    await makeDatabase();
    const told = await from('backups', ['backup', '../monday']);
    expect(told).toMatchObject({ code: 0, out: expect.stringContaining(`Wrote ${join(cwd, 'monday')} (`) });
    const again = await from('backups', ['backup', '../monday']);
    expect(again).toMatchObject({ code: 1, out: '', err: expect.stringContaining('is there already') });
    const missing = await from('.', ['restore', 'tuesday']);
    expect(missing).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^Nothing was changed: there is no/),
    });
  });

  test.each([
    ['backup', 'pg_dump'],
    ['restore', 'pg_restore'],
  ])('%s of a Postgres database is for %s', async (command, tool) => {
    configure({ DATABASE_URL: 'postgres://user:hush@localhost/fire' });
    const { code, err } = await run([command, 'file']);
    expect(code).toBe(1);
    expect(err).toContain(tool);
    expect(err).not.toContain('hush');
  });
});

describe('move-to-postgres', () => {
  test('needs to know where to', async () => {
    const { code, err } = await run(['move-to-postgres']);
    expect({ code, err }).toEqual({ code: 1, err: 'DATABASE_URL is not set: it says where to.' });
  });

  test('says what stands in the way', async () => {
    configure({ DATABASE_URL: 'postgres://me:secret@127.0.0.1:1/none' });
    const { code, out } = await run(['move-to-postgres', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual({
      ok: false,
      reason: expect.stringContaining('there is no database in '),
    });
  });
});

describe('doctor', () => {
  async function examine(
    variables: Record<string, string>,
    probe?: AgentProbe,
    args: readonly string[] = [],
    chatProbe: ChatProbe = null,
  ) {
    configure(variables);
    const checks =
      probe === undefined ? null : { probeAgent: async () => probe, probeChat: async () => chatProbe };
    const { code, out } = await run(['doctor', '--json', ...args], { doctorChecks: async () => checks });
    const report = JSON.parse(out);
    const states = report.checks.map(
      ({ name, state }: { name: string; state: string }) => `${name}: ${state}`,
    );
    return { code, report, states };
  }

  test('all is well with a fresh checkout, and nothing is left behind', async () => {
    const { code, report, states } = await examine({}, { kind: 'answered' });
    expect(code).toBe(0);
    expect(report.ok).toBe(true);
    expect(states).toEqual([
      'Node: ok',
      'Data folder: ok',
      'Claude process: ok',
      'Model endpoint: ok',
      'Sandbox for Bash: ok',
      'Campfire: ok',
      'Bot default: ok',
      'Bot file: warning',
      'Webhook: ok',
    ]);
    expect(report.configuration).toContainEqual({ variable: 'PORT', value: '5000', from: 'default' });
    expect(existsSync(join(cwd, 'data'))).toBe(false);
  });

  test.each<[string, Record<string, string>, AgentProbe | undefined, string, number]>([
    ['a process that does not start', {}, { kind: 'not-started', detail: 'x' }, 'Claude process: failed', 1],
    ['a model that does not answer', {}, { kind: 'no-answer', detail: '401' }, 'Model endpoint: failed', 1],
    ['no model at all', { OFFLINE_MODEL: 'off' }, undefined, 'Model endpoint: failed', 1],
    ['a data folder that is a file', { DATA_DIR: '.env' }, undefined, 'Data folder: failed', 1],
    [
      'a database that is not there',
      { CAMPFIRE_DB_PATH: 'no.sqlite3' },
      undefined,
      'CAMPFIRE_DB_PATH: failed',
      1,
    ],
    [
      'no Postgres at its address',
      { DATABASE_URL: 'postgres://me:secret@127.0.0.1:1/none' },
      undefined,
      'Database: failed',
      1,
    ],
    ['no Campfire at its address', { CAMPFIRE_URL: 'http://127.0.0.1:1' }, undefined, 'Campfire: failed', 1],
    ['a bot folder with a broken file only', { BOTS_DIRS: 'broken' }, undefined, 'Bots: failed', 1],
    [
      'an address to paste that is none',
      { HOST: '0.0.0.0', WEBHOOK_TOKEN: 't' },
      undefined,
      'Webhook: warning',
      0,
    ],
    ['a proxy without a token', { PUBLIC_URL: 'https://x.example.com' }, undefined, 'Webhook: warning', 0],
  ])('%s is found', async (_name, variables, probe, line, code) => {
    mkdirSync(join(cwd, 'broken'));
    writeFileSync(join(cwd, 'broken/a.json'), '{');
    const found = await examine(variables, probe);
    expect(found.states).toContain(line);
    expect(found.code).toBe(code);
  });

  test('a bot that lists Bash has it where there is a sandbox, and else a reason', async () => {
    vi.stubEnv('PATH', cwd);
    onTestFinished(() => void vi.unstubAllEnvs());
    mkdirSync(join(cwd, 'bots'));
    writeFileSync(join(cwd, 'bots/a.json'), '{"bot_id":"a","default":true,"tools":{"builtin":["Bash"]}}');
    const { report } = await examine({ BOTS_DIRS: 'bots' }, { kind: 'answered' });
    const reason = 'its sandbox needs bubblewrap and socat, not installed here';
    const detailOf = (name: string) =>
      report.checks.find((check: { name: string }) => check.name === name)?.detail;
    if (process.platform !== 'linux') return;
    expect(detailOf('Sandbox for Bash')).toBe(`no bot is given Bash: ${reason}`);
    expect(detailOf('Bot file')).toContain(`tools.builtin: Bash is not given: ${reason}`);
    expect(detailOf('Bot a')).toContain('tools none');

    for (const program of ['bwrap', 'socat'])
      writeFileSync(join(cwd, program), '#!/bin/sh\n:\n', { mode: 0o755 });
    const again = await examine({ BOTS_DIRS: 'bots' }, { kind: 'answered' });
    expect(again.report.checks).toContainEqual(
      expect.objectContaining({ name: 'Bot a', detail: expect.stringContaining('tools Bash') }),
    );
  });

  test.each([
    [302, 'Campfire: ok', 0],
    [404, 'Campfire: warning', 0],
    [500, 'Campfire: failed', 1],
  ])('a Campfire that answers %i', async (status, line, code) => {
    let asked = 0;
    const server = createServer((_request, response) => {
      asked += 1;
      response.writeHead(status, { location: '/session/new' }).end('body');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    // The socket of a server that listens on TCP has a port.
    const { port } = server.address() as AddressInfo;
    const found = await examine({ CAMPFIRE_URL: `http://127.0.0.1:${port}`, OFFLINE_MODEL: 'on' });
    expect(found.states).toContain(line);
    expect(found.states).toContain('Webhook: warning');
    expect(found.code).toBe(code);
    expect(asked).toBe(1);
  });

  test.each<[ChatProbe, string]>([
    ['readable', 'Missed messages: ok'],
    ['unreadable', 'Missed messages: warning'],
    ['unreachable', 'Missed messages: warning'],
    [null, 'Missed messages: ok'],
  ])('a Campfire whose messages are %s', async (chatProbe, line) => {
    const variables = { CAMPFIRE_URL: 'http://127.0.0.1:1', OFFLINE_MODEL: 'on' };
    const found = await examine(variables, { kind: 'answered' }, [], chatProbe);
    expect(found.states).toContain(line);
  });

  test('webhook addresses are ready to paste, their token only when asked for', async () => {
    const variables = {
      PUBLIC_URL: 'https://x.example.com/fire/',
      WEBHOOK_TOKEN: 'hush&hush',
      BOT_KEY: '3-hush',
    };
    const masked = await examine(variables);
    expect(masked.report.webhooks).toEqual([
      { bot: 'default', url: 'https://x.example.com/fire/webhook/default?token=<WEBHOOK_TOKEN>' },
    ]);
    expect(JSON.stringify(masked.report)).not.toContain('hush');
    const shown = await examine(variables, undefined, ['--show-secrets']);
    expect(shown.report.webhooks[0].url).toBe('https://x.example.com/fire/webhook/default?token=hush%26hush');
    expect(JSON.stringify(shown.report.checks)).not.toContain('hush');
  });

  test('for people it is lines with marks and what to do', async () => {
    configure({ OFFLINE_MODEL: 'off', BOTS_DIR: 'bots' });
    const { code, out } = await run(['doctor']);
    expect(code).toBe(1);
    expect(out).toMatch(/^ {2}✓ Node: /m);
    expect(out).toMatch(/^ {2}! BOTS_DIR is now called BOTS_DIRS\.$/m);
    expect(out).toMatch(/^ {2}✗ Model endpoint: no turn can run\n {6}no model credential/m);
  });
});
