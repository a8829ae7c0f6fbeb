import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Agent } from '../../src/agent/agent.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { answerTo, makeWorld } from './agent-world.ts';

const use = (agent: Agent, tool: string, input: object) =>
  answerTo(agent, `use tool ${tool} with ${JSON.stringify(input)}`);

describe('the file tools of an agent', () => {
  it('stay in its workspace, whatever way out is tried', async () => {
    const { startNew, workspace, dataDir } = await makeWorld();
    const secrets = makeTempFolder();
    writeFileSync(join(secrets, 'secret.txt'), 'the secret');
    mkdirSync(workspace, { recursive: true });
    symlinkSync(secrets, join(workspace, 'way-out'));
    symlinkSync(join(secrets, 'secret.txt'), join(workspace, 'innocent.txt'));
    const agent = await startNew();
    const other = await startNew();

    const tries: readonly [string, object][] = [
      ['Read', { file_path: join(secrets, 'secret.txt') }],
      ['Read', { file_path: '/etc/passwd' }],
      ['Read', { file_path: join(workspace, 'innocent.txt') }],
      ['Read', { file_path: join(workspace, 'way-out', 'secret.txt') }],
      ['Read', { file_path: `${workspace}/../../../agents/${other.id}/.claude.json` }],
      ['Grep', { pattern: 'the secret', path: secrets, output_mode: 'content' }],
      ['Grep', { pattern: 'the secret', path: join(workspace, 'way-out'), output_mode: 'content' }],
      ['Grep', { pattern: 'the secret', output_mode: 'content' }],
      ['Glob', { pattern: '*', path: secrets }],
      ['Glob', { pattern: `${secrets}/*` }],
      ['Write', { file_path: join(secrets, 'new.txt'), content: 'x' }],
      ['Write', { file_path: join(workspace, 'way-out', 'new.txt'), content: 'x' }],
      ['Write', { file_path: join(dataDir, 'agents', other.id, 'settings.json'), content: '{}' }],
    ];
    for (const [tool, input] of tries) {
      const answer = await use(agent, tool, input);
      expect(answer, JSON.stringify(input)).not.toMatch(/the secret(?!s)|root:|secret\.txt\n|oauth|userID/);
      expect(answer, JSON.stringify(input)).toMatch(/was refused or failed|No (files|matches) found/);
    }
    expect(existsSync(join(secrets, 'new.txt'))).toBe(false);
    expect(existsSync(join(dataDir, 'agents', other.id, 'settings.json'))).toBe(false);
  });

  it('read and write inside it', async () => {
    const { startNew, workspace } = await makeWorld();
    const agent = await startNew();
    writeFileSync(join(workspace, 'notes.txt'), 'Momo is a cat');
    expect(await use(agent, 'Read', { file_path: join(workspace, 'notes.txt') })).toContain('Momo is a cat');
    const written = await use(agent, 'Write', {
      file_path: join(workspace, 'new.txt'),
      content: 'Rex is a dog',
    });
    expect(written).toContain('The tool Write answered');
    expect(readFileSync(join(workspace, 'new.txt'), 'utf8')).toBe('Rex is a dog');
  });
});

describe('what an agent is not given', () => {
  it('is a shell, though its bot file lists one', async () => {
    const { startNew, model } = await makeWorld();
    const agent = await startNew({
      builtinTools: ['Read', 'Bash', 'BashOutput', 'KillShell', 'Monitor', 'Task'],
    });
    expect(await use(agent, 'Bash', { command: 'id' })).toContain('refused or failed');
    const offered = model.requests()[0]?.tools as readonly { name: string }[];
    expect(offered.map(({ name }) => name)).toContain('Read');
    for (const tool of ['Bash', 'BashOutput', 'KillShell', 'Monitor', 'Task', 'Agent', 'Write', 'WebFetch'])
      expect(offered.map(({ name }) => name)).not.toContain(tool);
  });

  it('is the way to this machine and its network', async () => {
    const { startNew, model } = await makeWorld();
    let visits = 0;
    const server = createServer((_req, res) => {
      visits++;
      res.end('the secret');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const agent = await startNew();
    for (const host of [
      `127.0.0.1:${port}`,
      `localhost:${port}`,
      `2130706433:${port}`,
      `[::ffff:7f00:1]:${port}`,
    ]) {
      const answer = await use(agent, 'WebFetch', { url: `http://${host}/`, prompt: 'what does it say?' });
      expect(answer).toContain('This URL is not fetched');
    }
    expect(await use(agent, 'WebFetch', { url: model.baseUrl, prompt: 'x' })).toContain(
      'This URL is not fetched',
    );
    expect(visits).toBe(0);
  });

  it('is any variable of the server but those on the list', async () => {
    process.env.FIREKEEPER_TEST_SECRET = 'not for agents';
    onTestFinished(() => {
      delete process.env.FIREKEEPER_TEST_SECRET;
    });
    const { startNew, dataDir, ownerId, model } = await makeWorld();
    const agent = await startNew({
      env: { FROM_THE_BOT_FILE: 'yes', CLAUDE_CONFIG_DIR: '/elsewhere', HOME: '/' },
    });
    const home = join(dataDir, 'agents', agent.id);
    expect(environmentOf(agent.pid)).toMatchObject({
      ANTHROPIC_API_KEY: 'offline',
      ANTHROPIC_BASE_URL: model.baseUrl,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      CLAUDE_CODE_DISABLE_AUTO_MEMORY: '1',
      CLAUDE_CODE_MAX_RETRIES: '1',
      DISABLE_TELEMETRY: '1',
      DISABLE_AUTOUPDATER: '1',
      DISABLE_ERROR_REPORTING: '1',
      CLAUDE_CONFIG_DIR: home,
      HOME: home,
      TMPDIR: join(home, 'tmp'),
      FIREKEEPER_OWNER: ownerId,
      FIREKEEPER_AGENT: agent.id,
      FROM_THE_BOT_FILE: 'yes',
    });
    const known =
      /^(PATH|LANG|NO_PROXY|no_proxy|ANTHROPIC_|CLAUDE_|DISABLE_|HOME|TMPDIR|FIREKEEPER_(OWNER|AGENT)$|FROM_)/;
    expect(Object.keys(environmentOf(agent.pid)).filter((name) => !known.test(name))).toEqual([]);
    expect(getPriority(agent.pid)).toBe(10);
  });

  it('is a command line that tells its keys to the machine', async () => {
    const { startNew } = await makeWorld();
    const agent = await startNew({
      systemPrompt: 'a prompt of its own',
      mcpServers: {
        quiet: {
          command: process.execPath,
          args: ['-e', 'setInterval(() => {}, 1e9)'],
          env: { KEY: 'key-of-the-server' },
        },
      },
    });
    const commandLine = execFileSync('ps', ['-ww', '-o', 'args=', '-p', String(agent.pid)], {
      encoding: 'utf8',
    });
    expect(commandLine).toContain('--session-id');
    expect(commandLine).not.toContain('key-of-the-server');
    expect(commandLine).not.toContain('a prompt of its own');
  });
});

function environmentOf(pid: number): Readonly<Record<string, string>> {
  const words =
    process.platform === 'linux'
      ? readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
      : execFileSync('ps', ['-Eww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).split(' ');
  return Object.fromEntries(
    words.flatMap((word): [string, string][] => {
      const match = /^([A-Za-z_]+)=([\s\S]*)$/.exec(word);
      return match === null ? [] : [[match[1] ?? '', match[2] ?? '']];
    }),
  );
}
