import { randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeTempFolder } from '../../../test/setup/temp.ts';
import { makeFamilies, systemProcessTable } from '../../agent/agent.ts';
import { systemClock } from '../../base/clock.ts';
import type { Verification } from '../policy.ts';
import type { ProjectId } from '../terms.ts';
import { type FoundSandbox, findSandbox, toArguments } from './find-sandbox.ts';
import { makeVerifier } from './verify.ts';

const baseEnv = { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', SECRET: 'secret' };
const PROJECT = randomUUID() as string as ProjectId;
const NONE: FoundSandbox = { kind: 'none', reason: 'not on this host' };
const onThisHost = await findSandbox({ platform: process.platform, baseEnv, clock: systemClock });

function makeHouse(sandbox?: FoundSandbox) {
  const dataDir = realpathSync(makeTempFolder());
  const workdir = join(dataDir, 'work');
  mkdirSync(workdir);
  writeFileSync(join(dataDir, 'secret'), 'secret of another');
  const ownerId = `verify-test-${randomUUID()}`;
  const found = sandbox === undefined ? {} : { sandbox };
  const clock = systemClock;
  const verifier = makeVerifier({ workdir: () => workdir, baseEnv, ownerId, dataDir, clock, ...found });
  const table = systemProcessTable(process.platform);
  const families = makeFamilies({ table, clock, self: process.pid });

  const verify = (
    commands: readonly Verification[],
    { allowUnsandboxed = false, signal = new AbortController().signal } = {},
  ) => verifier.verify(PROJECT, commands, { allowUnsandboxed, signal });
  /** What a shell line wrote, sandboxed or not; it ends badly so that its output is told. */
  const outputOf = async (line: string, options?: { readonly allowUnsandboxed: boolean }) => {
    const verified = await verify([shell(`${line}; exit 7`)], options);
    return verified.kind === 'failed' ? verified.tail : verified.kind;
  };
  const left = () => families.owned(ownerId);
  return { dataDir, workdir, verify, outputOf, left, families };
}

function shell(line: string, timeout_seconds = 60): Verification {
  return { name: 'shell', command: ['sh', '-c', line], timeout_seconds };
}

/** Starts a child, one in a session of its own, and one whose parent has gone; then says so in a file and waits. */
const FAMILY = 'sleep 600 & setsid sleep 600 & (setsid sleep 600 &) ; touch started; sleep 600';

describe('whatever holds the command', () => {
  test('commands run in their order until one fails, and tell how they ended', async () => {
    const { verify, workdir } = makeHouse(NONE);
    const command = ['sh', '-c', 'echo one >> log'];
    const good = { name: 'good', command, timeout_seconds: 60 };
    const passed = await verify([good, good], { allowUnsandboxed: true });
    expect(passed).toMatchObject({ kind: 'passed', results: [{ name: 'good', exit: 0 }, { exit: 0 }] });
    const bad = shell('echo "\u001b[31m$PWD/src/a.js\u001b[0m: wrong" >&2; exit 3');
    const failed = await verify([good, bad, good], { allowUnsandboxed: true });
    expect(failed).toMatchObject({
      kind: 'failed',
      results: [{ exit: 0 }, { exit: 3 }],
      tail: './src/a.js: wrong\n',
    });
    expect(readFileSync(join(workdir, 'log'), 'utf8')).toBe('one\none\none\n');
    expect(await verify([])).toEqual({ kind: 'unavailable', reason: 'not on this host' });
  });

  test('without a sandbox nothing runs, unless the project allows it', async () => {
    const { verify, workdir } = makeHouse(NONE);
    expect(await verify([shell('touch ran')])).toEqual({ kind: 'unavailable', reason: 'not on this host' });
    expect(existsSync(join(workdir, 'ran'))).toBe(false);
    expect((await verify([shell('touch ran')], { allowUnsandboxed: true })).kind).toBe('passed');
    expect(existsSync(join(workdir, 'ran'))).toBe(true);
  });

  test('a program that is not there fails like any other', async () => {
    const { verify } = makeHouse(NONE);
    const none = { name: 'none', command: ['no-such-program'], timeout_seconds: 60 };
    const verified = await verify([none], { allowUnsandboxed: true });
    expect(verified).toMatchObject({
      kind: 'failed',
      results: [{ exit: 127 }],
      tail: expect.stringMatching(/^no-such-program: E/),
    });
  });

  test('a working directory that is a link is not opened', async () => {
    const { dataDir, workdir } = makeHouse(NONE);
    symlinkSync(workdir, join(dataDir, 'linked'));
    const clock = systemClock;
    const paths = { workdir: () => join(dataDir, 'linked'), dataDir };
    const verifier = makeVerifier({ ...paths, baseEnv, ownerId: 'nobody', clock, sandbox: NONE });
    const options = { allowUnsandboxed: true, signal: new AbortController().signal };
    await expect(verifier.verify(PROJECT, [], options)).rejects.toThrow('not where it should be');
  });

  test('a host without bubblewrap, or one that refuses it, is told in words', async () => {
    const clock = systemClock;
    const on = (platform: NodeJS.Platform, PATH: string) =>
      findSandbox({ platform, baseEnv: { PATH }, clock });
    expect(await on('darwin', '')).toEqual({ kind: 'none', reason: 'bubblewrap runs on Linux only' });
    const folder = makeTempFolder();
    const refusing = '#!/bin/sh\necho "bwrap: setting up uid map: Permission denied" >&2\nexit 1\n';
    writeFileSync(join(folder, 'bwrap'), refusing, { mode: 0o755 });
    const reason = 'bubblewrap does not work on this host: bwrap: setting up uid map: Permission denied';
    expect(await on('linux', folder)).toEqual({ kind: 'none', reason });
  });

  test('a data folder that lies in a readable one is covered', () => {
    const sandbox = { executable: 'bwrap', readable: ['/usr'], links: [], path: '/usr/bin' };
    const facts = {
      workdir: '/usr/local/data/projects/x/work',
      hidden: ['/usr/local/data', '/usrlocal'],
      env: {},
    };
    const args = toArguments(sandbox, facts).join(' ');
    expect(args).toMatch(
      /--ro-bind \/usr \/usr .*--tmpfs \/usr\/local\/data --bind \/usr\/local\/data\/projects/,
    );
    expect(args).not.toContain('/usrlocal');
  });
});

const kinds = [['without a sandbox', true, NONE] as const];
const sandboxed = [['in bubblewrap', false, onThisHost] as const];
const isHere = onThisHost.kind === 'found';

describe.each(isHere ? [...kinds, ...sandboxed] : kinds)(
  'the family of a command %s',
  (_, allowUnsandboxed, sandbox) => {
    const until = async (path: string) =>
      await expect.poll(() => existsSync(path), { timeout: 10_000 }).toBe(true);

    test('ends with it at its time limit', async () => {
      const { verify, left, workdir } = makeHouse(sandbox);
      const verified = await verify([shell(`echo begun; ${FAMILY}`, 1)], { allowUnsandboxed });
      expect(verified).toMatchObject({ kind: 'failed', results: [{ exit: null }], tail: 'begun\n' });
      expect(existsSync(join(workdir, 'started'))).toBe(true);
      expect(await left()).toEqual([]);
    });

    test('ends with it when the update is given up', async () => {
      const { verify, left, workdir } = makeHouse(sandbox);
      const stop = new AbortController();
      const running = verify([shell(FAMILY), shell('touch next')], { allowUnsandboxed, signal: stop.signal });
      await until(join(workdir, 'started'));
      expect(await left()).toHaveLength(1);
      stop.abort();
      expect(await running).toEqual({ kind: 'aborted' });
      expect(await left()).toEqual([]);
      expect(await verify([shell('touch next')], { allowUnsandboxed, signal: stop.signal })).toEqual({
        kind: 'aborted',
      });
      expect(existsSync(join(workdir, 'next'))).toBe(false);
    });

    test('ends when the command itself ends well', async () => {
      const { verify, left } = makeHouse(sandbox);
      const line = 'sleep 600 & (setsid sleep 600 &) ; echo done';
      expect((await verify([shell(line)], { allowUnsandboxed })).kind).toBe('passed');
      expect(await left()).toEqual([]);
    });

    test('is found by its marks by whoever comes after a killed server', async () => {
      const { verify, left, families, workdir } = makeHouse(sandbox);
      const running = verify([shell(FAMILY)], { allowUnsandboxed });
      await until(join(workdir, 'started'));
      await families.end(await left());
      expect(await left()).toEqual([]);
      expect((await running).kind).toBe('failed');
    });

    test('gets nothing of the server’s environment but what is named', async () => {
      const { outputOf } = makeHouse(sandbox);
      const names = (await outputOf('env', { allowUnsandboxed })).match(/^\w+(?==)/gm) ?? [];
      const own = ['FIREKEEPER_AGENT', 'FIREKEEPER_OWNER', 'HOME', 'LANG', 'PATH'];
      expect(names.filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name)).sort()).toEqual(own);
    });
  },
);

describe.skipIf(!isHere)('a command in bubblewrap', () => {
  test('runs node and its tests', async () => {
    const { verify, workdir } = makeHouse();
    writeFileSync(join(workdir, 'a.test.js'), "require('node:test')('works', () => {});\n");
    const node = { name: 'test', command: ['node', '--test'], timeout_seconds: 60 };
    const npm = { name: 'npm', command: ['npm', 'test'], timeout_seconds: 60 };
    writeFileSync(join(workdir, 'package.json'), '{"scripts":{"test":"node --test"}}');
    const verified = await verify([node, npm]);
    expect(verified).toMatchObject({ kind: 'passed' });
    expect(
      await verify([
        shell('node -e "process.exit(process.version === process.argv[1] ? 0 : 1)" "$(node -v)"'),
      ]),
    ).toMatchObject({
      kind: 'passed',
    });
  });

  test('reads nothing outside its working directory', async () => {
    const { outputOf, dataDir } = makeHouse();
    const home = process.env.HOME ?? '/root';
    const lines = ['secret', '..'].map((name) => `cat ${join(dataDir, name)}; ls ${join(dataDir, name)}`);
    const text = await outputOf(`${lines.join('; ')}; ls -a ${home} /etc/shadow /var /root /home; true`);
    expect(text).not.toContain('secret of another');
    expect(await outputOf(`ls -a ${dataDir}`)).toBe('.\n..\nwork\n');
    expect(
      await outputOf('cat ../secret; cat /proc/1/environ | tr "\\0" "\\n" | grep SECRET; true'),
    ).not.toMatch(/^secret|SECRET=/m);
    for (const path of ['/etc/shadow', '/var', '/root', '/home', '/run'])
      expect(await outputOf(`ls ${path}`)).toContain('No such file');
  });

  test('writes nothing outside it either, and what it writes inside stays', async () => {
    const { outputOf, dataDir, workdir } = makeHouse();
    for (const path of ['/usr/planted', '/etc/planted', '/planted', '/bin/sh'])
      expect(await outputOf(`touch ${path}`)).toMatch(/cannot touch/);
    symlinkSync(dataDir, join(workdir, 'linked'));
    await outputOf(
      'echo x > ../planted; echo x > ../secret; echo x > linked/planted2; echo y > inside; echo z > /tmp/mine && cat /tmp/mine',
    );
    expect(readdirSync(dataDir).sort()).toEqual(['secret', 'work']);
    expect(readFileSync(join(dataDir, 'secret'), 'utf8')).toBe('secret of another');
    expect(readFileSync(join(workdir, 'inside'), 'utf8')).toBe('y\n');
  });

  test('reaches no port of this host, though it has a loopback of its own', async () => {
    const { verify, outputOf } = makeHouse();
    let asked = 0;
    const server = createServer((_request, response) => {
      asked += 1;
      response.end('open');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const script = `fetch('http://127.0.0.1:${port}').then((r) => r.text()).then(console.log, (e) => console.log(e.cause.code))`;
    expect(await outputOf(`node -e "${script}"`)).toBe('ECONNREFUSED\n');
    const own = `const s = require('node:http').createServer((q, r) => r.end('ok')).listen(0, async () => {
      const r = await fetch('http://127.0.0.1:' + s.address().port); process.exit((await r.text()) === 'ok' ? 0 : 1) })`;
    const command = { name: 'own', command: ['node', '-e', own], timeout_seconds: 60 };
    expect((await verify([command])).kind).toBe('passed');
    expect(asked).toBe(0);
    await new Promise((resolve) => server.close(resolve));
  });

  test('sees no process but its own, and signals none', async () => {
    const { outputOf } = makeHouse();
    const text = await outputOf(`ls /proc | grep -c '^[0-9]'; kill -0 ${process.pid}; hostname`);
    expect(Number(text.split('\n')[0])).toBeLessThan(10);
    expect(text).toMatch(/No such process/);
  });
});
