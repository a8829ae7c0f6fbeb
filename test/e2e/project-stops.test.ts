/** What a stop of the server, and files that are gone, do to the updates of a project. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Policy, projectKey } from '../../src/projects/projects.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { makeProjectWorld, queued, write } from './project-world.ts';
import { waitFor } from './server.ts';

const QUIET = { recommendations: false, compact_above_tokens: null } satisfies Partial<Policy>;

describe('updates of one project', () => {
  it('K2 go on after a stop of the server in their midst, and lose no attempt', async () => {
    const dataDir = makeTempFolder();
    const first = await makeProjectWorld({ dataDir, env: { DRAIN_SECONDS: '0' } });
    const { id } = await first.newProject(QUIET);
    first.app.offlineModel?.setSpeed({ ttftMs: 1_000, tokensPerSecond: null });
    const prompt = ['a.txt', 'b.txt', 'c.txt'].map((name) => write(name, name)).join(' then ');
    const { id: update } = queued(await first.enqueue(id, { prompt }));
    await waitFor(() => (existsSync(join(first.workdir(id), 'a.txt')) ? true : null));
    await first.app.stop();

    const second = await makeProjectWorld({ dataDir });
    const ended = await second.ended(update);
    expect(ended).toMatchObject({ status: 'completed', attempt: 1, resultVersion: 1 });
    const runs = await second.projects.updates.runs(update);
    expect(runs.map(({ outcome }) => outcome)).toEqual(['interrupted', 'ok']);
    expect(second.files(id)).toEqual(['a.txt', 'b.txt', 'c.txt']);
  });

  it('are refused by a project whose files are gone, which is frozen until somebody has looked', async () => {
    const world = await makeProjectWorld();
    const { id } = await world.newProject(QUIET);
    await world.update(id, write('a.txt', 'one'));
    rmSync(join(world.dataDir, 'projects', id, 'repo.git'), { recursive: true });
    expect(await world.update(id, write('b.txt', 'two'))).toMatchObject({
      status: 'failed',
      error: { code: 'repository_broken' },
    });
    expect((await world.projects.records.get(id))?.state).toBe('frozen');
  });

  it('D19, C18 are given up by whom the lease was taken from, and begun again from the same session', async () => {
    const world = await makeProjectWorld();
    const { id } = await world.newProject(QUIET);
    await world.update(id, write('a.txt', 'one'));
    const before = await world.head(id);
    world.app.offlineModel?.setSpeed({ ttftMs: 1_500, tokensPerSecond: null });
    const prompt = ['b.txt', 'c.txt', 'd.txt'].map((name) => write(name, name)).join(' then ');
    const { id: update } = queued(await world.enqueue(id, { prompt }));
    await waitFor(() => (existsSync(join(world.workdir(id), 'b.txt')) ? true : null));
    const taken = await world.store.leases.seize(projectKey(id));
    await world.store.leases.release(taken);
    world.app.offlineModel?.setSpeed({ ttftMs: 0, tokensPerSecond: null });

    const ended = await world.ended(update);
    expect(ended).toMatchObject({ status: 'completed', attempt: 2, resultVersion: 2 });
    const runs = await world.projects.updates.runs(update);
    expect(runs.map(({ mode, outcome }) => `${mode} ${outcome}`)).toEqual(['fork interrupted', 'fork ok']);
    expect((await world.session(id, (await world.head(id)).session)).parentId).toBe(before.session);
    expect(world.git(id, 'rev-list', '--count', 'main')).toBe('2');
    const ends = (await world.events(update)).filter(({ type }) => type === 'update.completed');
    expect(ends).toHaveLength(1);
  });
});
