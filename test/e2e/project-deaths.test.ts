/** Servers that die of an update every time, that come back when another one has taken over, and disks that are full. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { checkProject, makeGitReader } from '../../chaos/setup/check-project.ts';
import { readStream } from '../../chaos/setup/project-calls.ts';
import { crashPoint } from '../../chaos/setup/project-crash-points.ts';
import { openProject } from '../../chaos/setup/run-project-crashes.ts';
import type { Policy } from '../../src/projects/projects.ts';
import { SCRIPTED_AGENT } from '../fixtures/scripted-agent.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { makeProjectWorld, queued } from './project-world.ts';
import { waitFor } from './server.ts';

const QUIET = { recommendations: false, compact_above_tokens: null } satisfies Partial<Policy>;

async function open() {
  const world = await openProject({ agent: SCRIPTED_AGENT, makeDatabase: null });
  onTestFinished(() => world.close());
  return world;
}
type World = Awaited<ReturnType<typeof open>>;

const TABLES = [
  ...['projects', 'project_heads', 'project_sessions', 'project_versions', 'project_audit', 'updates'],
  ...['update_steps', 'update_runs', 'update_events', 'transcript_entries', 'ledger'],
];

/** Every row of the project, its references and its files. */
async function readAll({ project }: World): Promise<string> {
  const { id, dataDir, database } = project;
  const rows = await Promise.all(
    TABLES.map(async (table) => [table, await database.read(`select * from ${table}`)]),
  );
  const folder = join(dataDir, 'projects', id);
  const references = makeGitReader(folder)('for-each-ref');
  const files = ['a.txt', 'b.txt', 'c.txt'].map((file) => readFileSync(join(folder, 'work', file), 'utf8'));
  return JSON.stringify({ rows, references, files }, null, 1);
}

it('D20 gives up an update that ends its server every time, and the next one works', async () => {
  const world = await open();
  const before = await readAll(world);
  const { name: point } = crashPoint('D4 with its process started');
  await world.restart({ point, key: 'poison' });
  const asked = world.update('poison', 'update');
  for (let attempt = 1; attempt <= 3; attempt++) {
    expect(await world.untilDead(), `attempt ${attempt}`).toBe(true);
    const found = await world.find('poison');
    await world.restart({ point, update: found?.id ?? 0 });
  }
  const id = await asked;
  expect(await world.ended(id)).toMatchObject({ status: 'failed', error_code: 'worker_crash_loop' });
  const told = await readStream(world.address(), id);
  expect(told.filter(({ type }) => /^update\.(failed|completed|cancelled)$/.test(type))).toHaveLength(1);
  expect(await checkProject(world.project)).toEqual([]);
  const head = /"project_heads",[^\]]*/.exec(before)?.[0];
  expect(await readAll(world)).toContain(head);

  const next = await world.update('next', 'update');
  expect(await world.ended(next)).toMatchObject({ status: 'completed', result_version: 2, attempt: 1 });
  expect(await world.check('update', next, 'next')).toEqual([]);
}, 180_000);

it('D19 changes no row, no reference and no file when it wakes after another server took over', async () => {
  const world = await open();
  const id = await world.update('stopped', 'update', 'and use a tool for 2 seconds');
  await waitFor(async () => {
    const rows = await world.project.database.read(
      `select seq from update_events where update_id = ${id} and type = 'agent.tool'`,
    );
    return rows.length > 0 ? true : null;
  });
  const stale = world.letGo();
  onTestFinished(() => stale.kill());
  process.kill(stale.pid, 'SIGSTOP');
  // The folder's lock is the stopped process's as long as the file is the same one.
  for (const file of ['lock.sqlite', 'lock.sqlite-journal'])
    rmSync(join(world.project.dataDir, file), { force: true });
  await world.restart(null);
  expect(await world.ended(id)).toMatchObject({ status: 'completed', attempt: 2, result_version: 2 });
  const next = await world.update('next', 'update');
  expect(await world.ended(next)).toMatchObject({ status: 'completed', result_version: 3 });
  expect(await world.check('update', next, 'next')).toEqual([]);
  const after = await readAll(world);

  process.kill(stale.pid, 'SIGCONT');
  // It ends what it does before it stops.
  await stale.stop();
  expect(await readAll(world)).toBe(after);
  const last = await world.update('last', 'update');
  expect(await world.ended(last)).toMatchObject({ status: 'completed', result_version: 4 });
  expect(await world.check('update', last, 'last')).toEqual([]);
}, 180_000);

/** A git that finds the disk full, for some of its calls, as long as a file is there. */
function makeFullDisk(calls: string) {
  const folder = makeTempFolder();
  const flag = join(folder, 'full');
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const script = [
    '#!/bin/sh',
    `PATH='${process.env.PATH}'; export PATH`,
    `if [ -e '${flag}' ]; then case "$*" in ${calls})`,
    "echo 'fatal: write error: No space left on device' >&2; exit 128;; esac; fi",
    'exec git "$@"',
  ];
  writeFileSync(join(bin, 'git'), `${script.join('\n')}\n`);
  chmodSync(join(bin, 'git'), 0o755);
  return {
    env: { PATH: `${bin}:${process.env.PATH}` },
    fill: () => writeFileSync(flag, ''),
    makeRoom: () => rmSync(flag),
  };
}

it.each([
  ['commit', '*commit-tree*'],
  ['anything', '*write-tree*|*commit-tree*|*read-tree*|*update-index*|*update-ref*'],
])(
  'D16 freezes a project whose disk is full for %s, and half an edit is never a version',
  async (_, calls) => {
    const disk = makeFullDisk(calls);
    const world = await makeProjectWorld({ env: disk.env, agentExecutable: SCRIPTED_AGENT });
    const { id } = await world.newProject(QUIET);
    await world.update(id, 'put one into a.txt');
    const before = await world.head(id);
    const wish = 'put lost into a.txt and put lost into b.txt and use a tool for 1 second';
    const { id: update } = queued(await world.enqueue(id, { prompt: wish }));
    await waitFor(() => (existsSync(join(world.workdir(id), 'b.txt')) ? true : null));
    disk.fill();
    const failed = await world.ended(update);
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'disk_full' }, resultVersion: null });
    expect((await world.projects.records.get(id))?.state).toBe('frozen');
    expect(await world.head(id)).toEqual(before);

    disk.makeRoom();
    await world.projects.records.change(id, { state: 'active' }, 'operator');
    const next = await world.update(id, 'put three into c.txt');
    expect(next).toMatchObject({ status: 'completed', resultVersion: 2 });
    expect(world.files(id)).toEqual(['a.txt', 'c.txt']);
    expect(world.read(id, 'a.txt')).toBe('one\n');
    expect(world.git(id, 'rev-list', '--count', 'main')).toBe('2');
  },
);

it('H5 leaves alone what was changed from outside when an update never came to touch a file', async () => {
  const world = await makeProjectWorld({ agentExecutable: SCRIPTED_AGENT });
  const { id } = await world.newProject(QUIET);
  await world.update(id, 'put one into a.txt');
  writeFileSync(join(world.workdir(id), 'outside.txt'), 'kept');
  const refused = await world.run(id, { kind: 'restore', options: { restoreVersion: 99 } });
  expect(refused).toMatchObject({ status: 'failed', error: { code: 'unknown_version' } });
  expect(existsSync(join(world.workdir(id), 'outside.txt'))).toBe(true);
});
