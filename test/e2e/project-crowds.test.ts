/** Many updates at once, over HTTP: what is promised about their order. */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type ProjectId, policySchema, type Run, type Update } from '../../src/projects/projects.ts';
import { ADMIN_TOKEN } from '../fixtures/front-doors.ts';
import { makeGitProject } from '../fixtures/git-project.ts';
import { makeLightProjects, makeUnseenFiles } from '../fixtures/light-projects.ts';
import { SCRIPTED_AGENT } from '../fixtures/scripted-agent.ts';
import { makeClient, type ProjectClient } from './project-http.ts';
import { makeProjectWorld, type ProjectWorld, queued } from './project-world.ts';
import { waitFor } from './server.ts';

const QUIET = { recommendations: false, compact_above_tokens: null } as const;
const AT_ONCE = 4;
const LOOK_AGAIN_MS = 25;

/** Again while there is no room; a client that was told to wait asks by the same key. */
async function queueForSure(client: ProjectClient, project: string, prompt: string): Promise<number> {
  for (;;) {
    const { status, body } = await client.queue(project, prompt, { key: prompt.replaceAll(' ', '-') });
    if (status === 202) return Number(body.id);
    expect([status, body.code]).toEqual([429, 'queue_full']);
    await systemClock.sleep(LOOK_AGAIN_MS);
  }
}

async function readUpdates(
  { projects }: Pick<ProjectWorld, 'projects'>,
  project: ProjectId,
): Promise<readonly Update[]> {
  const found = await projects.updates.list(project, { status: null, before: null, limit: 200 });
  return found.toReversed();
}

/** Most of them that ran in one moment. */
function mostAtOnce(runs: readonly Run[]): number {
  const running = (at: number) =>
    runs.filter(({ startedAt, finishedAt }) => startedAt <= at && at < (finishedAt ?? 0)).length;
  return Math.max(...runs.map(({ startedAt }) => running(startedAt)));
}

/** Twenty clients queue so many updates each of one project; every one of them makes a version, in their order. */
async function crowdOneProject(each: number, files: Parameters<typeof makeLightProjects>[1]) {
  const asked: string[] = [];
  const change: typeof files.change = (workspace, prompt) => {
    asked.push(wishIn(prompt));
    return files.change(workspace, prompt);
  };
  const { projects, app, busy } = await makeLightProjects(AT_ONCE, { ...files, change });
  const client = makeClient({ app }, ADMIN_TOKEN);
  const { body } = await client.ask('POST', '/v1/projects', { body: { name: 'Shop', policy: QUIET } });
  const id = String(body.id) as ProjectId;
  const wishes = Array.from({ length: 20 }, (_, one) =>
    Array.from({ length: each }, (__, no) => `wish ${no} of client ${one}`),
  );
  const ids = await Promise.all(
    wishes.map(async (own) => {
      const mine: number[] = [];
      for (const wish of own) mine.push(await queueForSure(client, id, wish));
      return mine;
    }),
  );
  await client.ended(Math.max(...ids.flat()));

  const updates = await readUpdates({ projects }, id);
  expect(updates.map((one) => [one.status, one.baseVersion ?? 0, one.resultVersion])).toEqual(
    updates.map((_, before) => ['completed', before, before + 1]),
  );
  expect(updates.map(({ prompt }) => prompt)).toEqual(asked);
  expect(asked.toSorted()).toEqual(wishes.flat().toSorted());
  // What a client queued first is done first.
  for (const mine of ids) expect(mine).toEqual(mine.toSorted((a, b) => a - b));
  const runs = (await Promise.all(updates.map((one) => projects.updates.runs(one.id)))).flat();
  expect([runs.length, mostAtOnce(runs), busy.most]).toEqual([20 * each, 1, 1]);
  return { id, head: (await projects.records.get(id))?.head };
}

function wishIn(prompt: string): string {
  return /<request>\n(.*)\n<\/request>/.exec(prompt)?.[1] ?? '';
}

it('E1 one hundred updates of twenty clients to one project make a hundred versions in their order', async () => {
  const { head } = await crowdOneProject(5, makeUnseenFiles());
  expect(head?.version).toBe(100);
});

it('E1 so do twenty with files in git, one commit each', { timeout: 120_000 }, async () => {
  const { repository, root } = await makeGitProject();
  const { id, head } = await crowdOneProject(1, {
    repository,
    change: (workspace, prompt) => writeFile(join(workspace, wishIn(prompt).replaceAll(' ', '-')), prompt),
  });
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['--git-dir', join(root, id, 'repo.git'), ...args], { encoding: 'utf8' }).trim();
  const versions = git('log', '--reverse', '--format=%(trailers:key=Version,valueonly,separator=)');
  expect(versions.split('\n')).toEqual(Array.from({ length: 20 }, (_, before) => String(before + 1)));
  expect(git('ls-tree', '--name-only', 'main').split('\n')).toHaveLength(20);
  expect(head).toMatchObject({ version: 20, commit: git('rev-parse', 'main') });
});

it('E2 one hundred updates over twenty projects run side by side, up to the limit, and in order in each', async () => {
  const { projects, app, busy } = await makeLightProjects(AT_ONCE, makeUnseenFiles());
  const client = makeClient({ app }, ADMIN_TOKEN);
  const policy = policySchema.parse(QUIET);
  const make = () => projects.create({ name: 'Shop', ownerId: 'ada', policy, importFrom: null });
  const ids = (await Promise.all(Array.from({ length: 20 }, make))).map(({ id }) => id);
  const wishes = Array.from({ length: 5 }, (_, no) => `wish ${no}`);
  for (const wish of wishes) await Promise.all(ids.map((id) => queueForSure(client, id, wish)));
  const all = await Promise.all(
    ids.map((id) =>
      waitFor(async () => {
        const updates = await readUpdates({ projects }, id);
        return updates.every(({ finishedAt }) => finishedAt !== null) ? updates : null;
      }),
    ),
  );
  for (const updates of all) {
    expect(updates.map((one) => [one.prompt, one.status, one.resultVersion])).toEqual(
      wishes.map((wish, before) => [wish, 'completed', before + 1]),
    );
    const runs = await Promise.all(updates.map((one) => projects.updates.runs(one.id)));
    expect([runs.flat().length, mostAtOnce(runs.flat())]).toEqual([5, 1]);
  }
  expect(busy.most).toBe(AT_ONCE);
});

it('E3, E10 a key makes one update however often it is sent, and a full queue is no other project’s', async () => {
  const world = await makeProjectWorld({ agentExecutable: SCRIPTED_AGENT, env: { DRAIN_SECONDS: '0' } });
  const client = makeClient(world);
  const [{ id }, other] = [await world.newProject(QUIET), await world.newProject(QUIET)];
  const busy = queued(await world.enqueue(id, { prompt: 'think for 100 seconds' }));
  await waitFor(async () => ((await world.projects.updates.runs(busy.id)).length > 0 ? true : null));

  const answers = await Promise.all(
    Array.from({ length: 20 }, () => client.queue(id, 'put one into a.txt', { key: 'same' })),
  );
  expect(new Set(answers.map(({ status, body }) => `${status} ${JSON.stringify(body)}`)).size).toBe(1);
  expect(answers[0]).toMatchObject({ status: 202, body: { status: 'queued' } });
  expect(await readUpdates(world, id)).toHaveLength(2);
  expect(await client.queue(id, 'put two into a.txt', { key: 'same' })).toMatchObject({
    status: 409,
    body: { code: 'idempotency_conflict' },
  });

  for (let waiting = 1; waiting < 20; waiting += 1)
    expect((await client.queue(id, `put ${waiting} into a.txt`)).status).toBe(202);
  const full = await client.queue(id, 'put more into a.txt');
  expect(full).toMatchObject({ status: 429, body: { code: 'queue_full' } });
  expect(full.headers.get('retry-after')).toMatch(/^\d+$/);
  expect((await client.queue(id, 'put one into a.txt', { key: 'same' })).body.id).toBe(answers[0]?.body.id);
  const { body } = await client.queue(other.id, 'put one into a.txt');
  expect(await client.ended(Number(body.id))).toMatchObject({ status: 'completed' });
});
