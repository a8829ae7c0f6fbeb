/** The shell of a real agent in its sandbox: what it can do, and each way out of it that we could think of. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Agent } from '../../src/agent/agent.ts';
import { systemProcessTable } from '../../src/agent/process-table.ts';
import { systemClock } from '../../src/base/clock.ts';
import type { AgentId } from '../../src/base/terms.ts';
import { hasNoSandbox } from '../setup/sandbox.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { answerTo, makeWorld, say, type World } from './agent-world.ts';

const table = systemProcessTable(process.platform);
const membersOf = async (id: AgentId) => (await table.rows()).filter(({ agent }) => agent === id);
const command = (line: string) => `use tool Bash with ${JSON.stringify({ command: line })}`;
const run = (agent: Agent, line: string) => answerTo(agent, command(line));

const SECRET = 'words-that-no-command-may-read';

/** A world whose agents have a shell, with secrets wherever a server has some. */
async function makeShellWorld(): Promise<World & { readonly elsewhere: string }> {
  const baseEnv = {
    PATH: process.env.PATH ?? '',
    LANG: 'C.UTF-8',
    HTTPS_PROXY: `http://user:${SECRET}@127.0.0.1:9`,
  };
  const elsewhere = makeTempFolder();
  const world = await makeWorld({ baseEnv, shell: { secretFolders: [] } });
  writeFileSync(join(elsewhere, 'secret.txt'), SECRET);
  for (const name of ['admin-token', 'firekeeper.sqlite']) writeFileSync(join(world.dataDir, name), SECRET);
  mkdirSync(join(world.workspace, '..', '2'), { recursive: true });
  writeFileSync(join(world.workspace, '..', '2', 'theirs.txt'), SECRET);
  mkdirSync(world.workspace, { recursive: true });
  symlinkSync(elsewhere, join(world.workspace, 'way-out'));
  return { ...world, elsewhere };
}
const shelled = {
  builtinTools: ['Read', 'Write', 'Bash'],
  env: { KEY_OF_A_BOT: SECRET, ANTHROPIC_AUTH_TOKEN: SECRET },
};

describe.skipIf(hasNoSandbox)('the shell of an agent', () => {
  it('works in its working directory, and leaves nothing there that it was not told to', async () => {
    const { startNew, workspace } = await makeShellWorld();
    const agent = await startNew(shelled);
    expect(
      await run(agent, 'echo one > a.txt && mkdir -p src && sed s/one/two/ a.txt > src/b.txt'),
    ).toContain('The tool Bash answered');
    expect(readFileSync(join(workspace, 'src', 'b.txt'), 'utf8')).toBe('two\n');
    expect(await run(agent, 'cat src/b.txt; pwd')).toContain(`two\n${workspace}`);
    expect(await run(agent, 'echo note > "$TMPDIR/n" && cat "$TMPDIR/n"')).toContain('answered: note');
    expect(await run(agent, 'exit 3')).toContain('refused or failed: Exit code 3');
    await agent.close();
    const tracked = execFileSync('find', ['.', '-type', 'f'], { cwd: workspace, encoding: 'utf8' });
    expect(tracked.trim().split('\n').sort()).toEqual(['./a.txt', './src/b.txt']);
  });

  it('reads nothing of the server, of other conversations or of this machine', {
    timeout: 180_000,
  }, async () => {
    const { startNew, workspace, dataDir, elsewhere } = await makeShellWorld();
    const [agent, other] = [await startNew(shelled), await startNew(shelled)];
    for (const path of [
      join(dataDir, 'admin-token'),
      join(dataDir, 'firekeeper.sqlite'),
      join(dataDir, 'agents', other.id, '.claude.json'),
      join(workspace, '..', '2', 'theirs.txt'),
      join(workspace, 'way-out', 'secret.txt'),
      join(elsewhere, 'secret.txt'),
      '/etc/shadow',
      '/etc/hostname',
      `/proc/${agent.pid}/environ`,
      '/proc/1/environ',
      '/proc/1/root/etc/hostname',
    ]) {
      // By a program too, since the process judges only what it can read in a command.
      for (const line of [`cat ${path}`, `python3 -c "print(open('${path}').read())"`]) {
        const answer = await run(agent, line);
        expect(answer, line).toContain('was refused or failed');
        expect(answer, line).not.toContain(SECRET);
      }
    }
    const found = await run(
      agent,
      `grep -rl ${SECRET} /etc /home /mnt /opt /root /run /srv /tmp /var 2>/dev/null | head`,
    );
    expect(found).not.toMatch(/secret\.txt|admin-token|theirs|sqlite/);
  });

  it('has no credential in its environment, nor those of the bot file, nor a proxy’s', async () => {
    const { startNew, model } = await makeShellWorld();
    const agent = await startNew(shelled);
    for (const line of ['env', 'set', 'export -p', 'python3 -c "import os; print(dict(os.environ))"']) {
      const answer = await run(agent, line);
      expect(answer, line).toContain('The tool Bash answered');
      expect(answer, line).not.toMatch(/ANTHROPIC_API_KEY|ANTHROPIC_AUTH_TOKEN|KEY_OF_A_BOT/);
      expect(answer, line).not.toContain(SECRET);
      expect(answer, line).not.toContain(model.baseUrl);
    }
    expect(await run(agent, 'echo "[$ANTHROPIC_API_KEY$KEY_OF_A_BOT]"')).toContain('answered: []');
  });

  it('reaches no port of this machine, and nothing beyond', async () => {
    const { startNew, model } = await makeShellWorld();
    let visits = 0;
    const server = createServer((_req, res) => {
      visits += 1;
      res.end(SECRET);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const agent = await startNew(shelled);
    const asked = model.requests().length;
    for (const line of [
      `curl -sS -m 3 http://127.0.0.1:${port}/`,
      `curl -sS -m 3 --noproxy "*" http://localhost:${port}/`,
      `curl -sS -m 3 --noproxy "" http://127.0.0.1:${port}/`,
      `curl -sS -m 3 --noproxy "" -x "$ALL_PROXY" http://127.0.0.1:${port}/`,
      `curl -sS -m 3 --noproxy "" http://[::ffff:127.0.0.1]:${port}/`,
      `curl -sS -m 3 --noproxy "" ${model.baseUrl}/v1/models`,
      'curl -sS -m 3 http://192.0.2.1/',
      `bash -c "exec 3<>/dev/tcp/127.0.0.1/${port} && echo open"`,
      `python3 -c "import socket; socket.create_connection(('127.0.0.1', ${port}), 3); print('open')"`,
      'python3 -c "import socket; socket.socket(socket.AF_UNIX); print(\'open\')"',
    ]) {
      const answer = await run(agent, line);
      expect(answer, line).not.toMatch(new RegExp(`${SECRET}|answered: open|has_more`));
    }
    expect(visits).toBe(0);
    // Its own turns, two requests each, and nothing else.
    expect(model.requests().length - asked).toBeLessThanOrEqual(20);
  });

  it('writes nowhere else', async () => {
    const { startNew, workspace, dataDir, elsewhere } = await makeShellWorld();
    const agent = await startNew(shelled);
    const places = [
      join(dataDir, 'planted'),
      join(dataDir, 'agents', agent.id, 'settings.json'),
      join(workspace, '..', '2', 'planted'),
      join(workspace, 'way-out', 'planted'),
      join(elsewhere, 'planted'),
      `/tmp/planted-${agent.id}`,
      `/etc/planted-${agent.id}`,
      `/usr/local/bin/planted-${agent.id}`,
    ];
    for (const path of places) {
      await run(agent, `echo x > ${path}`);
      await run(agent, `python3 -c "open('${path}', 'w').write('x')"`);
      expect(existsSync(path), path).toBe(false);
    }
    for (const line of ['unshare -Ur true', 'mount -t tmpfs none /mnt'])
      expect(await run(agent, line), line).toContain('was refused or failed');
    await agent.close();
    expect(existsSync(join(workspace, '.claude', 'settings.json'))).toBe(false);
  });

  it('cannot be asked to work outside of its sandbox', async () => {
    const { startNew, dataDir } = await makeShellWorld();
    const agent = await startNew(shelled);
    const input = { command: `cat ${join(dataDir, 'admin-token')}`, dangerouslyDisableSandbox: true };
    expect(await answerTo(agent, `use tool Bash with ${JSON.stringify(input)}`)).not.toContain(SECRET);
    const background = { command: 'sleep 300', run_in_background: true };
    await answerTo(agent, `use tool Bash with ${JSON.stringify({ ...background, timeout: 1_000 })}`);
    while ((await namesOf(agent.id)).includes('sleep')) await systemClock.sleep(20);
  });

  it('leaves no process behind: not after its command, not after its agent, not after a KILL', async () => {
    const { startNew, dataDir } = await makeShellWorld();
    const temporary = () => readdirSync(tmpdir()).filter((name) => name.startsWith('fk-'));
    const agent = await startNew(shelled);
    await run(
      agent,
      '(setsid nohup sleep 301 >/dev/null 2>&1 &); (env -i setsid sleep 302 >/dev/null 2>&1 &); echo ok',
    );
    expect(await namesOf(agent.id)).not.toContain('sleep');
    expect(allNames()).not.toMatch(/sleep 30[12]/);
    expect(temporary()).toHaveLength(1);

    const running = say(agent, command('env -i setsid sleep 303'));
    while (!/sleep 303/.test(allNames())) await systemClock.sleep(20);
    await agent.close();
    expect((await running).ended.end.kind).toBe('died');
    expect(allNames()).not.toMatch(/sleep 303/);
    expect(await membersOf(agent.id)).toEqual([]);

    const killed = await startNew(shelled);
    const turn = say(killed, command('sleep 304'));
    while (!/sleep 304/.test(allNames())) await systemClock.sleep(20);
    process.kill(killed.pid, 'SIGKILL');
    expect((await turn).ended.end.kind).toBe('died');
    while ((await membersOf(killed.id)).length > 0) await systemClock.sleep(20);
    expect(allNames()).not.toMatch(/sleep 304/);
    while (readdirSync(join(dataDir, 'agents')).length > 0) await systemClock.sleep(20);
    expect(temporary()).toEqual([]);
  });

  it('is a spare’s too, in the directory of the conversation that claims it', async () => {
    const world = await makeShellWorld();
    const spec = world.specWith(shelled);
    world.agents.keepSpares([spec]);
    while ((await world.agents.census()).length < 1) await systemClock.sleep(20);
    const agent = await world.startNew(shelled);
    expect(agent.start).toBe('spare');
    expect(await run(agent, 'pwd; echo mine > own.txt; cat own.txt')).toContain(`${world.workspace}\nmine`);
    for (const path of [join(world.dataDir, 'admin-token'), join(world.workspace, '..', '2', 'theirs.txt')])
      expect(await run(agent, `cat ${path}`)).toContain('was refused or failed');
    expect(readFileSync(join(world.workspace, 'own.txt'), 'utf8')).toBe('mine\n');
  });
});

/** Also of those that threw their mark away. */
function allNames(): string {
  return execFileSync('ps', ['-eww', '-o', 'args='], { encoding: 'utf8' });
}

async function namesOf(id: AgentId): Promise<string> {
  const pids = (await membersOf(id)).map(({ pid }) => pid);
  if (pids.length === 0) return '';
  return execFileSync('sh', ['-c', `ps -ww -o comm= -p ${pids.join(',')} || true`], { encoding: 'utf8' });
}
