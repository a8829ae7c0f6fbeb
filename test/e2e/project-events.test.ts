/** What the clients of an update read of it, over HTTP. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import type { UpdateId } from '../../src/projects/projects.ts';
import type { Store } from '../../src/store/store.ts';
import { SCRIPTED_AGENT } from '../fixtures/scripted-agent.ts';
import { makeMovableClock } from './app.ts';
import { makeClient, type SentEvent } from './project-http.ts';
import { makeProjectWorld, type ProjectWorld, queued } from './project-world.ts';
import { waitFor } from './server.ts';

const QUIET = { recommendations: false, compact_above_tokens: null } as const;
const TERMINAL = /^update\.(completed|failed|cancelled)$/;

async function expectRows(world: ProjectWorld, id: UpdateId, heard: readonly SentEvent[]): Promise<void> {
  const rows = await world.events(id);
  expect(heard.map((event) => [event.id, event.type])).toEqual(rows.map(({ seq, type }) => [seq, type]));
  expect(heard.map((event) => event.id)).toEqual(rows.map((_, before) => before + 1));
}

it('J1, J4, J6 a client that leaves and comes back at any point hears each event once, up to the last one', async () => {
  const world = await makeProjectWorld({ agentExecutable: SCRIPTED_AGENT });
  const client = makeClient(world);
  const { id } = await world.newProject(QUIET);
  await world.update(id, 'put one into a.txt');
  const wishes = Array.from({ length: 6 }, (_, no) => `put ${no} into ${no}.txt, think for 0.2 seconds`);
  const { id: update } = queued(await world.enqueue(id, { prompt: wishes.join(', then ') }));

  const steady = client.stream(update, 0);
  const restless: SentEvent[] = [];
  // As far as it comes: now after one event, now after two or three.
  for (let turn = 0; !TERMINAL.test(restless.at(-1)?.type ?? ''); turn += 1)
    restless.push(...(await client.stream(update, restless.at(-1)?.id ?? 0, 1 + (turn % 3))));
  const whole = await steady;
  await expectRows(world, update, whole);
  await expectRows(world, update, restless);
  expect(whole.filter(({ type }) => TERMINAL.test(type))).toHaveLength(1);
  expect(TERMINAL.test(whole.at(-1)?.type ?? '')).toBe(true);
  const progress = whole.map(({ data }) => JSON.parse(data).progress as number);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  for (let after = 0; after < whole.length; after += 3)
    expect(await client.stream(update, after)).toEqual(whole.slice(after));
  expect((await client.fetched('GET', `/v1/updates/${update}/events?after=${whole.length}`)).status).toBe(
    204,
  );
});

it('J2 a client hears what another process wrote', async () => {
  const world = await makeProjectWorld({ agentExecutable: SCRIPTED_AGENT, env: { DRAIN_SECONDS: '0' } });
  const client = makeClient(world);
  const { id } = await world.newProject(QUIET);
  await world.enqueue(id, { prompt: 'think for 100 seconds' });
  const { id: waiting } = queued(await world.enqueue(id, { prompt: 'put one into a.txt' }));
  const heard = client.stream(waiting, 0, 2);
  const database = new DatabaseSync(join(world.dataDir, 'firekeeper.sqlite'));
  database
    .prepare(
      'insert into update_events select update_id, 2, at, ?, progress, payload from update_events where update_id = ?',
    )
    .run('step.started', waiting);
  database.close();
  expect((await heard).map(({ type }) => type)).toEqual(['update.queued', 'step.started']);
});

it('J8 nothing that a client reads names a path, a session, or what agent and provider said of their failure', async () => {
  const clock = makeMovableClock(Date.now());
  const world = await makeProjectWorld({ agentExecutable: SCRIPTED_AGENT, clock });
  const client = makeClient(world);
  const { id } = await world.newProject({
    ...QUIET,
    verify: [{ name: 'check', command: ['sh', '-c', 'pwd; exit 1'], timeout_seconds: 20 }],
    verify_unsandboxed: true,
    fix_turns: 0,
  });
  const failing = ['put one into a.txt', 'fail with 500', 'die midway', 'fail with 401', 'write garbage'];
  const ids: UpdateId[] = [];
  for (const prompt of failing) {
    const { id: update } = queued(await world.enqueue(id, { prompt }));
    ids.push(update);
    // A second attempt would tell the same.
    await waitFor(async () => {
      const now = await world.projects.updates.get(update);
      return now?.finishedAt != null || (now?.status === 'queued' && now.waitReason !== null) ? true : null;
    });
    await world.projects.cancel(update);
    await world.ended(update);
  }
  const sessions = (await Promise.all(ids.map((one) => world.projects.updates.runs(one)))).flat();
  const hidden = [
    world.dataDir,
    'scripted-agent',
    'API Error',
    'it was told to die',
    ...sessions.map(({ sessionId }) => sessionId),
  ];
  expect(sessions.length).toBeGreaterThanOrEqual(failing.length);
  for (const update of ids) {
    const shown = [
      JSON.stringify(await client.stream(update, 0)),
      JSON.stringify((await client.ask('GET', `/v1/updates/${update}`)).body),
      JSON.stringify((await client.ask('GET', `/v1/updates/${update}/runs`)).body),
    ].join('\n');
    expect(hidden.filter((text) => shown.includes(text))).toEqual([]);
  }
  const { body } = await client.ask('GET', `/v1/projects/${id}/session/audit`);
  expect(hidden.filter((text) => JSON.stringify(body).includes(text))).toEqual([]);
});

it('J9 an update that cannot be stored is told as failed, and is not there', async () => {
  let isBroken = false;
  const wrapStore = (store: Store): Store => {
    const { queue } = store.projects;
    const enqueue: typeof queue.enqueue = (update) =>
      isBroken ? Promise.reject(new Error('the disk is gone')) : queue.enqueue(update);
    return { ...store, projects: { ...store.projects, queue: { ...queue, enqueue } } };
  };
  const world = await makeProjectWorld({ agentExecutable: SCRIPTED_AGENT, wrapStore });
  const client = makeClient(world);
  const { id } = await world.newProject(QUIET);
  isBroken = true;
  const failed = await client.queue(id, 'put one into a.txt', { key: 'once' });
  expect(failed.status).toBeGreaterThanOrEqual(500);
  expect(JSON.stringify(failed.body)).not.toContain('the disk is gone');
  const list = () => client.ask('GET', `/v1/projects/${id}/updates`);
  expect((await list()).body.updates).toEqual([]);
  isBroken = false;
  const { status, body } = await client.queue(id, 'put one into a.txt', { key: 'once' });
  expect(status).toBe(202);
  expect(await client.ended(Number(body.id))).toMatchObject({ status: 'completed', result_version: 1 });
  expect((await list()).body.updates).toHaveLength(1);
});
