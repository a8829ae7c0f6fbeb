/** What updates of one project do to each other, and what is told of it. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { METADATA_LINE } from '../../src/projects/metadata.ts';
import type { UpdateId } from '../../src/projects/projects.ts';
import { SCRIPTED_AGENT } from '../fixtures/scripted-agent.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { makeMovableClock } from './app.ts';
import { startEndpoint } from './endpoint.ts';
import { makeClient } from './project-http.ts';
import { makeProjectWorld, type ProjectWorld, queued, write } from './project-world.ts';
import { waitFor } from './server.ts';

const QUIET = { recommendations: false, compact_above_tokens: null } as const;
const MINUTE_MS = 60_000;

function reached(world: ProjectWorld, id: UpdateId, step: string): Promise<true> {
  return waitFor(async () => ((await world.projects.updates.get(id))?.step === step ? true : null));
}

/** An agent that describes versions so slowly that nobody sees the end of it. */
async function makeSlowDescriber(): Promise<ProjectWorld> {
  const world = await makeProjectWorld();
  world.app.offlineModel?.setScript((request) =>
    JSON.stringify(request.messages).includes(METADATA_LINE)
      ? { kind: 'text', text: 'too late', delayMs: MINUTE_MS }
      : null,
  );
  return world;
}

describe('updates of one project', () => {
  it('E4, E7 start from what the one before them left, a restore as well', async () => {
    const world = await makeProjectWorld({ agentExecutable: SCRIPTED_AGENT });
    const { id } = await world.newProject(QUIET);
    await world.update(id, 'put one into a.txt');
    const first = queued(await world.enqueue(id, { prompt: 'think for 0.5 seconds, put two into a.txt' }));
    const restore = queued(await world.enqueue(id, { kind: 'restore', options: { restoreVersion: 1 } }));
    const last = queued(await world.enqueue(id, { prompt: 'put three into b.txt' }));
    await world.ended(last.id);
    const ends = await Promise.all([first, restore, last].map((one) => world.ended(one.id)));
    expect(
      ends.map(({ status, baseVersion, resultVersion }) => [status, baseVersion, resultVersion]),
    ).toEqual([
      ['completed', 1, 2],
      ['completed', 2, 3],
      ['completed', 3, 4],
    ]);
    expect([world.read(id, 'a.txt'), world.read(id, 'b.txt')]).toEqual(['one\n', 'three\n']);
    const [begun, done] = [await world.version(id, 1), await world.version(id, 4)];
    expect((await world.session(id, done.editSession)).parentId).toBe(begun.finalSession);
  });

  it('E5 are refused at once when they name a version that has gone, and later when it never came', async () => {
    const world = await makeProjectWorld({ agentExecutable: SCRIPTED_AGENT });
    const client = makeClient(world);
    const { id } = await world.newProject(QUIET);
    for (const no of [1, 2]) await world.update(id, `put ${no} into a.txt`);
    const pinned = (version: number) =>
      client.queue(id, 'put more into a.txt', { headers: { 'if-match': `"v${version}"` } });
    for (const version of [1, 3])
      expect(await pinned(version)).toMatchObject({
        status: 412,
        body: { code: 'version_mismatch', head_version: 2 },
      });
    const { body: ahead } = await client.queue(id, 'think for 0.5 seconds, put three into a.txt');
    const { status, body: late } = await pinned(2);
    expect(status).toBe(202);
    await client.ended(Number(ahead.id));
    expect(await client.ended(Number(late.id))).toMatchObject({
      status: 'failed',
      error: { code: 'version_mismatch' },
    });
    expect(await world.projects.updates.runs(Number(late.id) as UpdateId)).toEqual([]);
    expect(await world.update(id, 'put four into a.txt')).toMatchObject({ resultVersion: 4 });
  });

  it('E6 make the optional steps of the one before them give way', async () => {
    const world = await makeSlowDescriber();
    const { id } = await world.newProject();
    const first = queued(await world.enqueue(id, { prompt: write('a.txt', 'one\n') }));
    await reached(world, first.id, 'recommend');
    const second = queued(
      await world.enqueue(id, { prompt: write('b.txt', 'two\n'), options: { recommendations: false } }),
    );
    expect(await world.ended(first.id)).toMatchObject({
      status: 'completed',
      resultVersion: 1,
      degraded: ['preempted'],
    });
    expect(await world.ended(second.id)).toMatchObject({ status: 'completed', resultVersion: 2 });
    const [one, two] = [await world.version(id, 1), await world.version(id, 2)];
    expect((await world.session(id, two.editSession)).parentId).toBe(one.editSession);
    expect(one.metadata.state).toBe('skipped');
  });

  it('E8 are cancelled while they wait and while they run; what is committed completes without the rest', async () => {
    const world = await makeSlowDescriber();
    const client = makeClient(world);
    const { id } = await world.newProject();
    const cancel = (one: { readonly id: number }) => client.ask('POST', `/v1/updates/${one.id}/cancel`);
    const running = queued(await world.enqueue(id, { prompt: `think for 60 seconds ${write('a', 'a')}` }));
    const waiting = queued(await world.enqueue(id, { prompt: write('b', 'b') }));
    await reached(world, running.id, 'edit');
    for (const _ of ['once', 'and again'])
      expect(await cancel(waiting)).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    expect(await cancel(running)).toMatchObject({ status: 202, body: { cancel_requested: true } });
    expect(await world.ended(running.id)).toMatchObject({ status: 'cancelled', resultVersion: null });
    expect(await cancel(running)).toMatchObject({ status: 200 });
    expect(await world.projects.updates.runs(waiting.id)).toEqual([]);
    expect([world.files(id), (await world.head(id)).version]).toEqual([[], null]);

    const committed = queued(await world.enqueue(id, { prompt: write('c', 'c') }));
    await reached(world, committed.id, 'recommend');
    expect(await cancel(committed)).toMatchObject({ status: 202 });
    expect(await world.ended(committed.id)).toMatchObject({
      status: 'completed',
      resultVersion: 1,
      degraded: ['preempted'],
    });
    expect(await cancel(committed)).toMatchObject({ status: 409, body: { code: 'already_ended' } });
    for (const { id: one } of [running, waiting, committed])
      expect(
        (await world.events(one)).filter(({ type }) => /\.(completed|failed|cancelled)$/.test(type)),
      ).toHaveLength(1);
  });
});

describe('a limit of the provider', () => {
  it('G2 costs an edit no attempt, however often it is met, and its files stay as they were', async () => {
    const clock = makeMovableClock(Date.now());
    const world = await makeProjectWorld({ agentExecutable: SCRIPTED_AGENT, clock });
    const { id } = await world.newProject(QUIET);
    await world.update(id, 'put one into a.txt');
    const before = await world.head(id);
    const { id: update } = queued(
      await world.enqueue(id, { prompt: 'put two into a.txt, then fail with 429' }),
    );
    for (let met = 1; met <= 4; met += 1) {
      await waitFor(async () => {
        const runs = await world.projects.updates.runs(update);
        const now = await world.projects.updates.get(update);
        return runs.length === met && now?.status === 'queued' ? true : null;
      });
      expect(await world.projects.updates.get(update)).toMatchObject({
        attempt: 0,
        waitReason: 'provider-limit',
      });
      expect([world.read(id, 'a.txt'), await world.head(id)]).toEqual(['one\n', before]);
      clock.set(clock.now() + 2 * MINUTE_MS);
    }
    await world.projects.cancel(update);
    expect(await world.ended(update)).toMatchObject({ status: 'cancelled' });
    expect(await world.update(id, 'put three into a.txt')).toMatchObject({ resultVersion: 2 });
  });

  it('G2 in what describes a version leaves it without that, and complete', async () => {
    const endpoint = await startEndpoint('sk-of-the-projects');
    const world = await makeProjectWorld({
      env: { ANTHROPIC_BASE_URL: endpoint.url, ANTHROPIC_API_KEY: endpoint.key },
    });
    const { id } = await world.newProject();
    endpoint.refuse(429, METADATA_LINE);
    expect(await world.update(id, write('a.txt', 'one\n'))).toMatchObject({
      status: 'completed',
      resultVersion: 1,
      degraded: ['recommendations_failed'],
    });
    expect((await world.version(id, 1)).metadata.state).toBe('failed');
  });
});

describe('what is told of an update', () => {
  it('I5 is not changed by a flag that is turned while it runs', async () => {
    const world = await makeProjectWorld({ agentExecutable: SCRIPTED_AGENT });
    const client = makeClient(world);
    const { id } = await world.newProject(QUIET);
    await world.update(id, 'put one into a.txt');
    const running = queued(await world.enqueue(id, { prompt: 'think for 1 second, put two into a.txt' }));
    await reached(world, running.id, 'edit');
    const off = await client.ask('PATCH', `/v1/projects/${id}`, { body: { policy: { resume: 'off' } } });
    expect(off.status).toBe(200);
    expect((await world.ended(running.id)).resume).toMatchObject({ decision: 'resume', outcome: 'accepted' });
    expect((await world.update(id, 'put three into a.txt')).resume).toMatchObject({
      decision: 'fresh',
      reason: 'flag_off',
    });
    const { body } = await client.ask('GET', `/v1/projects/${id}/session/audit`);
    expect(body.entries).toContainEqual(
      expect.objectContaining({ event: 'flag_changed', actor: 'operator', reason: expect.any(String) }),
    );
  });

  it('I7, J5 is one decision, as many runs as processes, and one end', async () => {
    const folder = makeTempFolder();
    const [counted, counting] = [join(folder, 'starts'), join(folder, 'agent.sh')];
    writeFileSync(counting, `#!/bin/sh\necho start >> ${counted}\nexec "${SCRIPTED_AGENT}" "$@"\n`);
    chmodSync(counting, 0o755);
    const clock = makeMovableClock(Date.now());
    // A spare would be a process too.
    const env = { SPARE_AGENTS: '0' };
    const world = await makeProjectWorld({ agentExecutable: counting, clock, env });
    const { id } = await world.newProject({ compact_above_tokens: null });
    // The scripted agent knows no JSON: what describes the version is a run all the same.
    const fine = await world.update(id, 'put one into a.txt');
    const dying = queued(await world.enqueue(id, { prompt: 'die at once' }));
    for (let attempt = 1; attempt < 3; attempt += 1) {
      await waitFor(async () => {
        const now = await world.projects.updates.get(dying.id);
        return now?.status === 'queued' && now.attempt === attempt ? true : null;
      });
      clock.set(clock.now() + MINUTE_MS);
    }
    const failed = await world.ended(dying.id);
    expect(failed).toMatchObject({ status: 'failed', attempt: 3, error: { code: 'agent_failed' } });

    const audit = await world.projects.records.audit(id, 0, 1_000);
    for (const update of [fine, failed])
      expect(
        audit.filter(({ event, updateId }) => event === 'decision' && updateId === update.id),
      ).toHaveLength(1);
    const runs = await Promise.all([fine, failed].map((one) => world.projects.updates.runs(one.id)));
    expect(runs.map((of) => of.map(({ purpose, outcome }) => `${purpose} ${outcome}`))).toEqual([
      ['edit ok', 'recommend ok'],
      ['edit died', 'edit died', 'edit died'],
    ]);
    expect(readFileSync(counted, 'utf8').trim().split('\n')).toHaveLength(runs.flat().length);
    const told = (await world.events(dying.id)).map(({ type }) => type);
    expect(told.filter((type) => type === 'update.retrying')).toHaveLength(2);
    expect(told.filter((type) => /\.(completed|failed|cancelled)$/.test(type))).toEqual(['update.failed']);
    expect(told.at(-1)).toBe('update.failed');
  });
});
