import { mkdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { makeFakeClock } from '../../test/fixtures/fake-clock.ts';
import { ADMIN_TOKEN, openDoors } from '../../test/fixtures/front-doors.ts';
import { type MemoryProjects, makeMemoryProjects } from '../../test/fixtures/memory-projects.ts';
import { makeTempFolder } from '../../test/setup/temp.ts';
import { systemClock } from '../base/clock.ts';
import { openDataFolder } from '../data-folder.ts';
import type { ProjectId, UpdateId } from '../projects/projects.ts';
import { lockFolder } from '../store/sqlite/lock.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import { runCli } from './cli.ts';
import type { Terminal } from './command.ts';

const ID = 'p1' as ProjectId;

let cwd: string;
let memory: MemoryProjects;
beforeEach(() => {
  cwd = makeTempFolder();
});

/** A server of this data folder, in this process; the lock and its name are the real ones. */
async function serve(): Promise<void> {
  const clock = makeFakeClock(systemClock.now());
  memory = makeMemoryProjects(clock);
  const doors = await openDoors({ projects: memory.projects, clock });
  await doors.http.listen({ host: '127.0.0.1', port: 0 });
  const dataDir = join(cwd, 'data');
  mkdirSync(dataDir, { recursive: true });
  await (await openSqlite(join(dataDir, 'firekeeper.sqlite'), systemClock)).close();
  const lock = await lockFolder(dataDir, systemClock);
  await lock.announce(`http://127.0.0.1:${(doors.http.server.address() as AddressInfo).port}`);
  writeFileSync(join(dataDir, 'admin-token'), `${ADMIN_TOKEN}\n`);
  onTestFinished(async () => {
    await lock.release();
    await doors.close();
  });
}

async function runOn(terminal: Terminal | null, args: readonly string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCli(args, {
    cwd,
    callerCwd: cwd,
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    terminal,
    start: async () => 0,
    doctorChecks: async () => null,
    openFolder: openDataFolder,
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}
const run = (...args: string[]) => runOn(null, args);
async function runJson(...args: string[]) {
  const { code, out } = await run(...args, '--json');
  return { exit: code, ...JSON.parse(out) };
}

/** What a runner would do with update 1, from its start to its end. */
function carryOut(end: 'completed' | 'failed'): void {
  const id = 1 as UpdateId;
  const step = (type: 'step.started' | 'step.finished', name: string, progress: number) =>
    memory.happen(id, type, { progress, payload: { step: name, state: 'succeeded' } });
  memory.happen(id, 'update.started', { update: { status: 'running' } });
  step('step.started', 'prepare', 0.01);
  step('step.finished', 'prepare', 0.05);
  memory.happen(id, 'resume.decided', { payload: { decision: 'resume', reason: 'ok' } });
  step('step.started', 'edit', 0.05);
  memory.happen(id, 'agent.tool', { progress: 0.3, payload: { name: 'Edit', times: 2 } });
  memory.happen(id, 'agent.message', { progress: 0.4, payload: { text: 'Now\nit is \u001b[31mblue' } });
  if (end === 'failed') {
    const error = { code: 'agent_failed', detail: 'what the provider said' } as const;
    memory.happen(id, 'update.failed', {
      payload: { code: error.code },
      update: { status: 'failed', error },
    });
    return;
  }
  memory.addRun(id);
  step('step.finished', 'edit', 0.75);
  memory.happen(id, 'version.created', { progress: 0.9, payload: { version: 1 } });
  const update = { status: 'completed', resultVersion: 1, degraded: ['recommendations_failed'] } as const;
  memory.happen(id, 'update.completed', { progress: 1, payload: { version: 1 }, update });
}

describe('beside a running server', () => {
  beforeEach(serve);

  test('project new makes one, project list shows it', async () => {
    const made = await runJson('project', 'new', 'Shop', '--user', 'ada');
    expect(made).toMatchObject({ exit: 0, ok: true, project: { id: 'p1', name: 'Shop', owner_id: 'ada' } });
    expect((await run('project', 'new', 'Other')).out).toBe('Project Other is made: p2.');
    expect((await runJson('project', 'list')).projects).toMatchObject([{ id: 'p1' }, { id: 'p2' }]);
    expect((await run('project', 'list')).out).toMatch(
      /^ID +VERSION[^\n]+NAME\np1 +- +active +- +ada +Shop\n/,
    );
  });

  test('project new says what is wrong with a source', async () => {
    const refused = await run('project', 'new', 'Shop', '--from', 'nowhere');
    expect(refused).toMatchObject({ code: 1, err: 'it is no git repository.' });
    expect(await runJson('project', 'new', '../up')).toMatchObject({ ok: false, code: 'invalid_fields' });
  });

  test('project token shows a token that is good for the project', async () => {
    await run('project', 'new', 'Shop');
    const { out } = await run('project', 'token', 'Shop', '--user', 'ada');
    expect(out).toMatch(/^fkp_[\w-]{43}$/);
    expect(await memory.projects.records.tokens(ID)).toMatchObject([{ userId: 'ada' }]);
  });

  test('project update queues one, from the command line or from a file', async () => {
    await run('project', 'new', 'Shop');
    expect((await run('project', 'update', 'p1', 'Make it blue')).out).toBe('Update 1 of Shop is queued.');
    writeFileSync(join(cwd, 'wish.md'), 'Make it\nred');
    expect(await runJson('project', 'update', 'Shop', '--file', 'wish.md', '--fresh')).toMatchObject({
      exit: 0,
      update: { id: 2, prompt: 'Make it\nred', resume: { policy: 'never' }, user_id: 'admin' },
    });
    expect((await run('project', 'update', 'p1', '--file', 'none.md')).err).toContain('cannot be read');
    expect(await runJson('project', 'update', 'Nothing', 'a')).toMatchObject({ code: 'unknown_project' });
    await run('project', 'new', 'Shop');
    expect(await runJson('project', 'update', 'Shop', 'a')).toMatchObject({ exit: 1, code: 'ambiguous' });
  });

  test('project versions and project diff show what was made', async () => {
    await run('project', 'new', 'Shop');
    expect((await run('project', 'versions', 'p1')).out).toBe('There is no version yet.');
    memory.addVersion(ID);
    memory.addVersion(ID, { restoredNo: 1 });
    expect((await runJson('project', 'versions', 'p1')).versions).toMatchObject([{ no: 2 }, { no: 1 }]);
    const told = (await run('project', 'versions', 'p1')).out;
    expect(told).toMatch(/2 .* c0ffee +restores version 1\n1 .* \+2 -3 +c0ffee +Blue$/);
    expect((await run('project', 'diff', 'p1', '2')).out).toBe('diff 1..2');
    expect((await run('project', 'diff', 'p1', '0', '2')).out).toBe('diff 0..2');
    expect(await runJson('project', 'diff', 'p1', '9')).toMatchObject({ exit: 1, code: 'unknown_version' });
  });

  test('project restore queues one', async () => {
    await run('project', 'new', 'Shop');
    memory.addVersion(ID);
    expect(await runJson('project', 'restore', 'p1', '1')).toMatchObject({
      exit: 0,
      update: { kind: 'restore', restore_version: 1 },
    });
    expect((await run('project', 'restore', 'p1', '7')).code).toBe(1);
  });

  test('project watch tells each step once where nothing can be redrawn', async () => {
    await run('project', 'new', 'Shop');
    await run('project', 'update', 'p1', 'Make it blue');
    carryOut('completed');
    const { code, out, err } = await run('project', 'watch', '1');
    expect([code, err]).toEqual([0, '']);
    expect(out.split('\n').map((line) => line.replace(/^\d\d:\d\d:\d\d /, ''))).toEqual([
      '   0 %  waits for its turn',
      '   0 %  started',
      '   1 %  prepare started',
      '   5 %  prepare succeeded',
      '   5 %  resumed',
      '   5 %  edit started',
      '  75 %  edit succeeded',
      '  90 %  version 1 made',
      ' 100 %  completed',
      'Update 1 is completed: version 1, $0.0000, degraded: recommendations_failed.',
    ]);
    expect(await runJson('project', 'watch', '1')).toMatchObject({
      exit: 0,
      update: { status: 'completed' },
    });
  });

  test('project update --watch sees it live and fails with it', async () => {
    await run('project', 'new', 'Shop');
    const watching = run('project', 'update', 'p1', 'Make it blue', '--watch');
    while (memory.listeners() === 0) await new Promise(setImmediate);
    carryOut('failed');
    const { code, out, err } = await watching;
    expect(code).toBe(1);
    expect(out).toContain('failed: agent_failed');
    expect(err).toBe('Update 1 is failed, $0.0000. The agent ended without a result. (agent_failed)');
    expect(err + out).not.toContain('provider said');
  });

  test('project watch draws over itself in a terminal, one line a step, and writes nothing of its own there', async () => {
    await run('project', 'new', 'Shop');
    await run('project', 'update', 'p1', 'Make it blue');
    carryOut('completed');
    const written: string[] = [];
    const terminal = { columns: 90, write: (text: string) => void written.push(text) };
    const { code, out } = await runOn(terminal, ['project', 'watch', '1']);
    expect([code, out]).toEqual([
      0,
      'Update 1 is completed: version 1, $0.0000, degraded: recommendations_failed.',
    ]);
    const last = written.at(-1) ?? '';
    expect(last.startsWith('\u001b[3A\u001b[0J')).toBe(true);
    expect(last).toMatch(/✓ {2}Update 1 {2}\[█{20}\] {2}100 % {2}.* {2}\$0\.2500 {2}resumed {2}version 1\n/);
    expect(last).toMatch(/\n {2}✓ edit +\[█{20}\] +0\.0 s +\$0\.2500\n$/);
    expect(written.join('')).toContain('it is ·[31mblue');
    for (const line of last.split('\n').slice(1)) expect([...line].length).toBeLessThan(90);
  });

  test('project report says what cannot be said', async () => {
    const { out } = await run('project', 'report', '--from', '2026-01-01');
    expect(out).toMatch(/Useful +2 of 4 \(50\.0 %\)/);
    expect(out).toContain('cannot be said: each arm needs 20 updates');
    expect((await runJson('project', 'report')).report).toMatchObject({ attempted: 4 });
  });
});

describe('without a running server', () => {
  test.each([
    ['no data folder', false],
    ['a data folder', true],
  ])('and with %s, every command says that it needs one', async (_title, isThere) => {
    if (isThere) {
      mkdirSync(join(cwd, 'data'));
      await (await openSqlite(join(cwd, 'data/firekeeper.sqlite'), systemClock)).close();
    }
    for (const args of [['new', 'a'], ['list'], ['update', 'a', 'b'], ['watch', '1'], ['report']])
      expect(await runJson('project', ...args)).toMatchObject({ exit: 1, ok: false, code: 'no_server' });
  });
});

describe('wrong usage', () => {
  test.each([
    [['project']],
    [['project', 'new']],
    [['project', 'update', 'a']],
    [['project', 'update', 'a', 'b', '--file', 'c']],
    [['project', 'versions']],
    [['project', 'versions', 'a', '--limit', '0']],
    [['project', 'diff', 'a']],
    [['project', 'diff', 'a', 'one']],
    [['project', 'restore', 'a', '0']],
    [['project', 'watch', 'one']],
    [['project', 'token', 'a']],
    [['project', 'report', '--from', 'then']],
  ])('%j exits with 2', async (args) => {
    const { code, err } = await run(...args);
    expect(code).toBe(2);
    expect(err).toContain('Usage: firekeeper');
  });
});
