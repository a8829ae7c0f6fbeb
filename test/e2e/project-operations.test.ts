/** Projects over the ends of servers: a start with much to do, and a backup. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { makeGitRepository } from '../../src/projects/git/git.ts';
import { type ProjectId, policySchema, type UpdateId } from '../../src/projects/projects.ts';
import { openSqlite } from '../../src/store/sqlite/sqlite.ts';
import { makeStore } from '../../src/store/store.ts';
import { SCRIPTED_AGENT } from '../fixtures/scripted-agent.ts';
import { ROOT } from '../setup/root.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { makeProjectWorld, USER, write } from './project-world.ts';

const QUIET = policySchema.parse({ recommendations: false, compact_above_tokens: null });
const OPTIONS = {
  resume: 'auto',
  expectedVersion: null,
  restoreVersion: null,
  recommendations: null,
  documentation: null,
  compact: 'auto',
} as const;
const DEAD = 5;

/** A data folder whose server died with five updates in its hands while a thousand waited. */
async function makeBacklog() {
  const dataDir = makeTempFolder();
  const database = await openSqlite(join(dataDir, 'firekeeper.sqlite'), systemClock);
  const store = makeStore(database, systemClock, { holder: 'the dead one', leaseMs: 600_000 });
  const { records, queue } = store.projects;
  const repository = makeGitRepository({
    root: join(dataDir, 'projects'),
    baseEnv: { PATH: process.env.PATH ?? '' },
    clock: systemClock,
  });
  const make = async (count: number) => {
    const ids = Array.from({ length: count }, () => randomUUID() as string as ProjectId);
    for (const id of ids) await records.create({ id, name: 'Shop', ownerId: USER, policy: QUIET });
    return ids;
  };
  const enqueue = (projectId: ProjectId) => {
    const key = randomUUID();
    const wish = { projectId, userId: USER, kind: 'update', prompt: 'put one into a.txt' } as const;
    return queue.enqueue({ ...wish, options: OPTIONS, idempotencyKey: key, digest: key });
  };
  const held = await make(DEAD);
  await Promise.all(held.map((id) => repository.init(id)));
  for (const id of held) await enqueue(id);
  const left: UpdateId[] = [];
  for (const _ of held) left.push((await queue.claim())?.update.id ?? (0 as UpdateId));
  const waiting = await make(50);
  for (let round = 0; round < 20; round += 1) await Promise.all(waiting.map(enqueue));
  await store.close();
  return { dataDir, left };
}

it('K1 a start with a thousand updates that wait takes up those that its dead server held first', async () => {
  const { dataDir, left } = await makeBacklog();
  const world = await makeProjectWorld({
    dataDir,
    agentExecutable: SCRIPTED_AGENT,
    env: { PROJECTS_AT_ONCE: String(DEAD), DRAIN_SECONDS: '0' },
  });
  expect((await fetch(`${world.app.address}/health`)).status).toBe(200);
  for (const id of left)
    expect(await world.ended(id)).toMatchObject({ status: 'completed', attempt: 2, resultVersion: 1 });
  await world.app.stop();
  const database = new DatabaseSync(join(dataDir, 'firekeeper.sqlite'));
  const count = database.prepare('select count(*) as count from updates').get();
  database.close();
  expect(count).toEqual({ count: 1_000 + DEAD });
});

function firekeeper(dataDir: string, ...args: readonly string[]): Promise<{ code: number; said: string }> {
  const env = { PATH: process.env.PATH, DATA_DIR: dataDir };
  return new Promise((resolve) => {
    execFile(process.execPath, ['src/cli/cli.ts', ...args], { cwd: ROOT, env }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), said: out + err }),
    );
  });
}

it('K4 projects go on from a backup, fresh where their session did not come along', async () => {
  const first = await makeProjectWorld();
  const [whole, forgetful] = [await first.newProject(QUIET), await first.newProject(QUIET)];
  for (const { id } of [whole, forgetful]) await first.update(id, write('a.txt', 'one\n'));
  const file = join(makeTempFolder(), 'backup');
  expect(await firekeeper(first.dataDir, 'backup', file)).toMatchObject({ code: 0 });
  await first.update(whole.id, write('late.txt', 'too late\n'));
  const { session: lost } = await first.head(forgetful.id);
  await first.app.stop();

  const dataDir = makeTempFolder();
  expect(await firekeeper(dataDir, 'restore', file)).toMatchObject({ code: 0 });
  const database = new DatabaseSync(join(dataDir, 'firekeeper.sqlite'));
  database
    .prepare(
      'delete from transcript_entries where session_id = (select session_id from project_heads where project_id = ?)',
    )
    .run(forgetful.id);
  database.close();

  const second = await makeProjectWorld({ dataDir });
  for (const { id } of [whole, forgetful]) {
    const head = await second.head(id);
    expect(head).toMatchObject({ version: 1, commit: second.git(id, 'rev-parse', 'main') });
    expect(second.files(id)).toEqual(['a.txt']);
  }
  expect(await second.update(whole.id, write('b.txt', 'two\n'))).toMatchObject({
    status: 'completed',
    resultVersion: 2,
    resume: { decision: 'resume', outcome: 'accepted' },
  });
  expect(await second.update(forgetful.id, write('b.txt', 'two\n'))).toMatchObject({
    status: 'completed',
    resultVersion: 2,
    resume: { decision: 'fresh', reason: 'transcript_missing' },
  });
  expect((await second.session(forgetful.id, lost)).state).toBe('lost');
});
