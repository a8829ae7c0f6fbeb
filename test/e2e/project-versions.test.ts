/** Versions, and how old ones come back. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { answerTo } from '../../src/agent/offline/answer.ts';
import { METADATA_LINE } from '../../src/projects/metadata.ts';
import type { ProjectId } from '../../src/projects/projects.ts';
import { SCRIPTED_AGENT } from '../fixtures/scripted-agent.ts';
import { makeClient } from './project-http.ts';
import { makeProjectWorld, type ProjectWorld, queued, write } from './project-world.ts';
import { waitFor } from './server.ts';

const QUIET = { recommendations: false, compact_above_tokens: null } as const;
const scripted = () => makeProjectWorld({ agentExecutable: SCRIPTED_AGENT });

async function begun(world: ProjectWorld, versions: number): Promise<ProjectId> {
  const { id } = await world.newProject(QUIET);
  for (let no = 1; no <= versions; no += 1) await world.update(id, `put ${no} into ${no}.txt`);
  return id;
}

it('H1, H2, H6 a restore is a new version with the old files and its session, once for each key', async () => {
  const world = await scripted();
  const client = makeClient(world);
  const id = await begun(world, 5);
  const [second, fifth] = [await world.version(id, 2), await world.version(id, 5)];
  const restore = () => client.ask('POST', `/v1/projects/${id}/versions/2/restore`, { key: 'undo' });
  const answers = await Promise.all([restore(), restore()]);
  expect(answers.map(({ status }) => status)).toEqual([202, 202]);
  expect(answers[0]?.body.id).toBe(answers[1]?.body.id);
  // The administrator asked for it.
  const update = await client.ended(Number(answers[0]?.body.id));
  expect(update).toMatchObject({ status: 'completed', result_version: 6, restore_version: 2 });
  const sixth = await world.version(id, 6);
  expect(sixth).toMatchObject({ parentNo: 5, restoredNo: 2, tree: second.tree, kind: 'restore' });
  expect(world.git(id, 'rev-parse', `${sixth.commit}^`)).toBe(fifth.commit);
  expect(await world.head(id)).toMatchObject({ version: 6, session: second.finalSession });
  expect(world.files(id)).toEqual(['1.txt', '2.txt']);
  expect(await client.ask('GET', `/v1/projects/${id}/versions/6/diff?from=2`)).toMatchObject({
    body: { diff: '', cut: false },
  });
  const { body } = await client.ask('GET', `/v1/projects/${id}/versions/6/diff`);
  expect(body.diff).toContain('-5');
  expect(await world.projects.records.versions(id, null, 10)).toHaveLength(6);
});

it('H3, H4 versions stay in the order of their numbers, whatever is known of them and when', async () => {
  const world = await makeProjectWorld();
  const client = makeClient(world);
  world.app.offlineModel?.setScript((request) => {
    if (!JSON.stringify(request.messages).includes(METADATA_LINE)) return null;
    const answer = answerTo(request);
    return answer.kind === 'text' ? { ...answer, delayMs: 1_000 } : null;
  });
  const { id } = await world.newProject({ compact_above_tokens: null });
  const list = async () => {
    const { body } = await client.ask('GET', `/v1/projects/${id}/versions`);
    return body.versions as readonly Readonly<Record<string, unknown>>[];
  };
  const { id: first } = queued(await world.enqueue(id, { prompt: write('a.txt', 'one\n') }));
  const [early] = await waitFor(async () => {
    const versions = await list();
    return versions.length === 1 ? versions : null;
  });
  expect(early).toMatchObject({ no: 1, metadata: 'pending', title: null });
  await world.ended(first);
  const [late] = await list();
  expect(late).toMatchObject({ metadata: 'ready', title: expect.any(String), change_type: 'patch' });
  const { metadata, title, description, change_type, ...same } = late ?? {};
  expect(early).toMatchObject(same);
  await world.update(id, write('b.txt', 'two\n'), { recommendations: false });
  expect((await list()).map(({ no, metadata: state }) => [no, state])).toEqual([
    [2, 'skipped'],
    [1, 'ready'],
  ]);
  expect(await client.ask('GET', `/v1/projects/${id}/versions/2/recommendations`)).toMatchObject({
    body: { state: 'skipped', recommendations: [] },
  });
});

it('H5 a restore keeps what was changed from outside, and nothing of it is lost', async () => {
  const world = await scripted();
  const id = await begun(world, 2);
  writeFileSync(join(world.workdir(id), 'mine.txt'), 'by hand\n');
  const restored = await world.run(id, { kind: 'restore', options: { restoreVersion: 1 } });
  expect(restored).toMatchObject({ status: 'completed', resultVersion: 3 });
  expect(world.files(id)).toEqual(['1.txt']);
  const kept = world.git(id, 'log', '--format=%H', '--grep=Change-Source: external', 'main');
  expect(world.git(id, 'show', `${kept}:mine.txt`)).toBe('by hand');
  expect(world.git(id, 'rev-list', '--count', 'main')).toBe('4');
});
