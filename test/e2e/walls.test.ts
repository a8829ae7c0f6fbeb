/** What a bot cannot do, asked for with real tool calls: the offline model does whatever a message says. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OfflineModel, startOfflineModel } from '../../src/agent/offline/offline-model.ts';
import { hasNoSandbox } from '../setup/sandbox.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { makeBotsFolder, startServer, type TestServer } from './server.ts';

const SECRETS = {
  ADMIN_TOKEN: 'admin-token-of-the-walls',
  BOT_KEY_CURIOUS: '3-BotKeyOfTheWalls',
  ANTHROPIC_API_KEY_FALLBACK: 'sk-fallback-of-the-walls',
};
const MARK = 'secret words that no bot may read';

let server: TestServer;
let model: OfflineModel;
let outside: string;
let asked = 0;

beforeAll(async () => {
  model = await startOfflineModel({ recordRequests: 500 });
  outside = makeTempFolder();
  writeFileSync(join(outside, 'secret.txt'), MARK);
  const tools = ['Read', 'Write', 'Edit', 'Glob', 'Grep', 'WebFetch', 'Bash', 'BashOutput', 'Task', 'Agent'];
  server = await startServer({
    shared: true,
    env: {
      ...SECRETS,
      FLOOD_LIMITS: 'off',
      ANTHROPIC_BASE_URL: model.baseUrl,
      ANTHROPIC_API_KEY: 'sk-of-the-walls',
      BOTS_DIRS: makeBotsFolder({ bot_id: 'curious', default: true, tools: { builtin: tools } }),
    },
  });
});
afterAll(async () => {
  await server.end();
  await model.close();
});

/** What the room reads after a bot was asked to use a tool. */
async function use(tool: string, input: unknown, room = 'own'): Promise<string> {
  const before = (await server.repliesSoFar(room)).length;
  asked += 1;
  await server.say(room, `${asked}: use tool ${tool} with ${JSON.stringify(input)}`);
  return (await server.replies(room, before + 1)).at(-1)?.text ?? '';
}

const workspaceOf = (room: string) => join(server.dataDir, 'workspaces', 'builtin', 'curious', room);

describe('a bot', () => {
  it('reads and writes in its own workspace, so that what follows means something', async () => {
    const path = join(workspaceOf('own'), 'note.txt');
    expect(await use('Write', { file_path: path, content: 'a note of my own' })).toContain('answered');
    expect(readFileSync(path, 'utf8')).toBe('a note of my own');
    expect(await use('Read', { file_path: path })).toContain('a note of my own');
    expect(await use('Grep', { pattern: 'note', output_mode: 'content' })).toContain('a note of my own');
  });

  it.each<[string, string, () => unknown]>([
    ['Read', '/etc/passwd', () => ({ file_path: '/etc/passwd' })],
    ['Read', 'a path that climbs out', () => ({ file_path: '../../../../../../../../etc/passwd' })],
    ['Read', "the server's admin token", () => ({ file_path: join(server.dataDir, 'admin-token') })],
    ['Read', "the server's database", () => ({ file_path: join(server.dataDir, 'firekeeper.sqlite') })],
    ['Read', 'its own environment', () => ({ file_path: '/proc/self/environ' })],
    ['Read', "the server's environment", () => ({ file_path: `/proc/${server.pid}/environ` })],
    ['Read', 'a file elsewhere', () => ({ file_path: join(outside, 'secret.txt') })],
    ['Read', 'a link that leads out', () => ({ file_path: linkTo(outside, 'secret.txt') })],
    ['Grep', 'a folder elsewhere', () => ({ pattern: 'secret', path: outside, output_mode: 'content' })],
    [
      'Grep',
      "other rooms' folders",
      () => ({ pattern: '.', path: join(server.dataDir, 'workspaces'), output_mode: 'content' }),
    ],
    ['Glob', 'a folder elsewhere', () => ({ pattern: '*', path: outside })],
    ['Glob', 'a pattern that leads out', () => ({ pattern: join(outside, '*.txt') })],
    ['Glob', 'a pattern that climbs out', () => ({ pattern: '../../**/*.txt' })],
    ['Write', 'a file elsewhere', () => ({ file_path: join(outside, 'new.txt'), content: MARK })],
    [
      'Write',
      'over the admin token',
      () => ({ file_path: join(server.dataDir, 'admin-token'), content: MARK }),
    ],
    [
      'Edit',
      'a file elsewhere',
      () => ({ file_path: join(outside, 'secret.txt'), old_string: 'secret', new_string: 'open' }),
    ],
  ])('is refused to %s %s', async (tool, _what, input) => {
    mkdirSync(workspaceOf('own'), { recursive: true });
    const answer = await use(tool, input());
    expect(answer).toMatch(/was refused or failed|No files found|No matches found/);
    expect(answer).not.toMatch(/root:|secret words|secret\.txt$|-of-the-walls|SQLite format/m);
    expect(readFileSync(join(outside, 'secret.txt'), 'utf8')).toBe(MARK);
  });

  it("reads nothing of another room's workspace", async () => {
    const path = join(workspaceOf('neighbour'), 'diary.txt');
    await use('Write', { file_path: path, content: MARK }, 'neighbour');
    expect(readFileSync(path, 'utf8')).toBe(MARK);
    for (const file_path of [path, '../neighbour/diary.txt']) {
      const answer = await use('Read', { file_path });
      expect(answer).toContain('was refused or failed');
      expect(answer).not.toContain(MARK);
    }
  });

  it.each([
    '127.0.0.1',
    'localhost',
    '127.1',
    '0.0.0.0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '2130706433',
    'localhost.',
  ])('reaches no port of this machine as %s', async (host) => {
    let connections = 0;
    const trap = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => trap.listen(0, resolve));
    const address = trap.address();
    const port = typeof address === 'object' ? address?.port : 0;
    for (const scheme of ['http', 'https']) {
      const answer = await use('WebFetch', {
        url: `${scheme}://${host}:${port}/x`,
        prompt: 'what is there?',
      });
      expect(answer).toMatch(/was refused or failed: .*This URL is not fetched/);
    }
    await new Promise((resolve) => trap.close(resolve));
    expect(connections).toBe(0);
  });

  it.skipIf(hasNoSandbox).each<[string, () => string]>([
    ['read the admin token', () => `cat ${join(server.dataDir, 'admin-token')}`],
    ['read the database', () => `head -c 15 ${join(server.dataDir, 'firekeeper.sqlite')}`],
    ['read a file elsewhere', () => `cat ${join(outside, 'secret.txt')}`],
    ['read the server’s environment', () => `cat /proc/${server.pid}/environ`],
    [
      'read any environment',
      () => 'python3 -c "import glob; [print(open(f).read()) for f in glob.glob(\'/proc/[0-9]*/environ\')]"',
    ],
    ['print the key', () => 'echo "key: $ANTHROPIC_API_KEY"; env; set'],
    [
      'call the server',
      () =>
        `curl -sS -m 3 --noproxy "" ${server.url}/health; curl -sS -m 3 --noproxy "*" ${server.url}/health`,
    ],
    [
      'write elsewhere',
      () =>
        `echo x > ${join(outside, 'secret.txt')}; echo x > ${join(server.dataDir, 'planted')}; echo tried`,
    ],
  ])('may %s in its shell in vain', async (_what, line) => {
    expect(await use('Bash', { command: 'echo a shell' })).toContain('answered: a shell');
    const answer = await use('Bash', { command: line() });
    expect(answer).not.toMatch(/secret words|-of-the-walls|OfTheWalls|SQLite format|"status"|"ok"/);
    expect(readFileSync(join(outside, 'secret.txt'), 'utf8')).toBe(MARK);
    expect(existsSync(join(server.dataDir, 'planted'))).toBe(false);
  });

  it.each([
    ...(hasNoSandbox ? ['Bash'] : []),
    'BashOutput',
    'KillShell',
    'Task',
    'Agent',
    'Skill',
    'NoSuchTool',
  ])('has no tool %s, whatever its file lists', async (tool) => {
    const answer = await use(tool, {
      command: 'id',
      description: 'x',
      prompt: 'x',
      subagent_type: 'general-purpose',
    });
    expect(answer).toContain('was refused or failed');
    expect(answer).not.toContain('uid=');
    const offered = model.requests().at(-1)?.tools;
    expect(JSON.stringify(offered)).toContain('"name":"Read"');
    expect(JSON.stringify(offered)).not.toContain(`"name":"${tool}"`);
  });

  it.runIf(process.platform === 'linux')(
    'runs without a key, a token or an address of ours in its environment',
    async () => {
      const family = await server.family();
      expect(family.length).toBeGreaterThan(0);
      const keys: string[] = [];
      for (const { pid } of family) {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
        keys.push(...environment.filter((line) => line.startsWith('ANTHROPIC_API_KEY=')));
        for (const secret of Object.values(SECRETS)) expect(environment.join('\n')).not.toContain(secret);
        const names = environment.map((line) => line.split('=')[0] ?? '');
        expect(
          names.filter((name) =>
            /^(ADMIN_|BOT_KEY|WEBHOOK_|CAMPFIRE_|DATA_DIR|PORT$|.*_FALLBACK)/.test(name),
          ),
        ).toEqual([]);
        const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        expect(commandLine).not.toMatch(/of-the-walls|OfTheWalls/);
      }
      // What carries the traffic of a sandbox is part of a family, and has no key.
      expect(new Set(keys)).toEqual(new Set(['ANTHROPIC_API_KEY=sk-of-the-walls']));
    },
  );
});

/** A link in the bot's own workspace to a file outside of it. */
function linkTo(folder: string, name: string): string {
  const link = join(workspaceOf('own'), 'link.txt');
  symlinkSync(join(folder, name), link);
  return link;
}
