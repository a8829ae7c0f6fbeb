/** The server dies at each write of an update; the next one goes on from the rows. */
import { describe, expect, it } from 'vitest';
import type { Policy, ProjectId, UpdateId } from '../../src/projects/projects.ts';
import { type CrashPoint, makeCrashingStore } from '../fixtures/crashing-projects.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { makeProjectWorld, type ProjectWorld, queued, write } from './project-world.ts';

const EVERYTHING = {
  recommendations: true,
  documentation: true,
  compact_above_tokens: 1_000,
  verify: [{ name: 'test', command: ['sh', '-c', 'test -f b.txt'], timeout_seconds: 20 }],
} satisfies Partial<Policy>;

const PLAIN = { recommendations: false, documentation: false, compact: 'never' } as const;

const FILES = ['b.txt', 'c.txt', 'd.txt'];

/** A project with version 1, an update of it that its server does not survive, and the server after that. */
async function crashAt(point: CrashPoint) {
  const dataDir = makeTempFolder();
  const dying = makeCrashingStore(point);
  const doomed = await makeProjectWorld({ dataDir, wrapStore: dying.wrapStore });
  const { id } = await doomed.newProject(EVERYTHING);
  await doomed.update(id, write('b.txt', 'one'), PLAIN);
  dying.arm();
  const head = await doomed.head(id);
  const prompt = FILES.map((name) => write(name, `${name} of version 2`)).join(' then ');
  const update = queued(await doomed.enqueue(id, { prompt }));
  await dying.crashed;
  await doomed.app.stop();

  const world = await makeProjectWorld({ dataDir });
  return { world, id, update: await world.ended(update.id), head };
}

/** What holds after every crash. */
async function expectPostConditions(world: ProjectWorld, id: ProjectId, update: UpdateId): Promise<void> {
  const head = await world.head(id);
  const versions = await world.projects.records.versions(id, null, 100);
  expect(versions.map(({ no }) => no)).toEqual([2, 1]);
  expect(versions.filter(({ updateId }) => updateId === update)).toHaveLength(1);
  expect(head).toMatchObject({ version: 2, commit: versions[0]?.commit, session: versions[0]?.finalSession });
  expect(world.git(id, 'rev-parse', 'main')).toBe(head.commit);
  expect(world.git(id, 'rev-list', '--count', 'main')).toBe('2');
  expect(world.git(id, '--work-tree', world.workdir(id), 'status', '--porcelain')).toBe('');
  expect(world.files(id)).toEqual(FILES);
  expect((await world.session(id, head.session)).settledEntry).not.toBeNull();
  const events = await world.events(update);
  expect(events.filter(({ type }) => /update\.(completed|failed|cancelled)/.test(type))).toHaveLength(1);
  expect(events.at(-1)?.type).toBe('update.completed');
  expect(events.filter(({ type }) => type === 'version.created')).toHaveLength(1);
  expect(events.map(({ progress }) => progress)).toEqual(events.map(({ progress }) => progress).sort());
  const runs = await world.projects.updates.runs(update);
  expect(runs.filter(({ finishedAt }) => finishedAt === null)).toEqual([]);
  for (const { sessionId, purpose } of runs) {
    const { state } = await world.session(id, sessionId);
    expect([purpose, state]).not.toContain('provisional');
  }
  const census = await world.app.parts.agents.census();
  expect(census.filter(({ conversation }) => conversation?.startsWith('project:'))).toEqual([]);
  expect(await world.update(id, write('e.txt', 'next'), PLAIN)).toMatchObject({
    status: 'completed',
    resultVersion: 3,
  });
}

describe('an update whose server dies', () => {
  it.each<[string, CrashPoint, object]>([
    ['D2 after its claim', { when: 'before', write: 'steps.begin prepare' }, { attempt: 2 }],
    ['D3 once prepared', { when: 'after', write: 'steps.end prepare' }, { attempt: 2 }],
    ['D4 with its run written and no process', { when: 'after', write: 'runs.begin' }, { attempt: 2 }],
    [
      'D6 with its agent done and nothing written',
      { when: 'before', write: 'steps.end edit' },
      { attempt: 2 },
    ],
    ['D7 once edited', { when: 'after', write: 'steps.end edit' }, { attempt: 2 }],
    ['D7 while it is verified', { when: 'after', write: 'steps.begin verify' }, { attempt: 2 }],
    ['D7 once verified', { when: 'after', write: 'steps.end verify' }, { attempt: 2 }],
    ['D8 with a commit that nothing points at', { when: 'before', write: 'versions.add' }, { attempt: 2 }],
    [
      'D9 with a version that git does not know',
      { when: 'after', write: 'versions.add' },
      { attempt: 1, degraded: [] },
    ],
    [
      'D10 while it recommends',
      { when: 'after', write: 'steps.begin recommend' },
      { attempt: 1, degraded: [] },
    ],
    [
      'D10 while it documents',
      { when: 'after', write: 'steps.begin document' },
      { attempt: 1, degraded: ['documentation_failed'] },
    ],
    [
      'D11 while it is shortened',
      { when: 'after', write: 'steps.begin compact' },
      { attempt: 1, degraded: ['compaction_failed'] },
    ],
    [
      'D12 once shortened, with the head where it was',
      { when: 'before', write: 'steps.end compact' },
      { attempt: 1, degraded: ['compaction_failed'] },
    ],
    ['D13 before its end', { when: 'before', write: 'update.end' }, { attempt: 1, degraded: [] }],
  ])(
    '%s',
    async (_name, point, expected) => {
      const { world, id, update } = await crashAt(point);
      expect(update).toMatchObject({ status: 'completed', error: null, resultVersion: 2, ...expected });
      await expectPostConditions(world, id, update.id);
    },
    150_000,
  );

  it('D6 does not ask its agent twice', async () => {
    const { world, id, update } = await crashAt({ when: 'before', write: 'steps.end edit' });
    const runs = await world.projects.updates.runs(update.id);
    expect(runs.filter(({ purpose }) => purpose === 'edit').map(({ outcome }) => outcome)).toEqual(['ok']);
    expect(await world.version(id, 2)).toMatchObject({ editSession: runs[0]?.sessionId });
  });
});
