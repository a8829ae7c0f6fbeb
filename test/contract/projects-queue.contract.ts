import { afterEach, beforeEach, expect, test } from 'vitest';
import { LeaseLost } from '../../src/base/errors.ts';
import type { UpdateId } from '../../src/projects/projects.ts';
import {
  claim,
  commitId,
  completed,
  completeOne,
  enqueue,
  makeProject,
  newUpdate,
  projectId,
  treeId,
  write,
} from './project-rows.ts';
import { LEASE_MS, type MakeStoreUnderTest, type StoreUnderTest } from './store-under-test.ts';

export function projectsQueueContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(() => under.close());
  const queue = () => under.store.projects.queue;

  test('an update is queued with its first event, and read back as it was asked for', async () => {
    const { store, clock } = under;
    await makeProject(store);
    const update = await enqueue(store, { prompt: 'blue\u0000 🔥', options: { resume: 'never' } });
    expect(update).toMatchObject({
      userId: 'jane',
      prompt: 'blue\u0000 🔥',
      status: 'queued',
      attempt: 0,
      degraded: [],
      queuedAt: clock.now(),
      options: { resume: 'never', expectedVersion: null },
      spent: { costUsd: 0, runsWithoutCost: 0 },
    });
    expect(await queue().get(update.id)).toEqual(update);
    expect(await queue().events(update.id, 0, 10)).toEqual([
      {
        updateId: update.id,
        seq: 1,
        at: clock.now(),
        type: 'update.queued',
        progress: 0,
        payload: { ahead: 0 },
      },
    ]);
    expect(await queue().get((update.id + 1) as UpdateId)).toBeNull();
    expect(await queue().enqueue(newUpdate({ project: 'none' }))).toEqual({ kind: 'unknown_project' });
  });

  test('the same key, at the same moment twenty times over, is one update; another request is a conflict', async () => {
    await makeProject(under.store);
    const update = newUpdate();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        under.another(`server ${index % 4}`).projects.queue.enqueue(update),
      ),
    );
    const kinds = outcomes.map(({ kind }) => kind).sort();
    expect(kinds).toEqual([...Array<string>(19).fill('known'), 'queued']);
    const ids = outcomes.map((outcome) => ('update' in outcome ? outcome.update.id : null));
    expect(new Set(ids).size).toBe(1);
    expect(await queue().enqueue({ ...update, digest: 'another' })).toEqual({ kind: 'conflict' });
    expect(await queue().counts()).toEqual({ queued: 1, running: 0 });
  });

  test('twenty may wait in a project, and none in one that is frozen or being deleted', async () => {
    const { store } = under;
    await makeProject(store);
    await makeProject(store, 'other');
    await enqueue(store);
    await claim(store);
    for (let index = 0; index < 20; index += 1) await enqueue(store);
    expect(await queue().enqueue(newUpdate())).toEqual({ kind: 'full' });
    await enqueue(store, { project: 'other' });

    const { records } = store.projects;
    await records.change(projectId('other'), { state: 'frozen' }, 'operator');
    expect(await queue().enqueue(newUpdate({ project: 'other' }))).toEqual({ kind: 'frozen' });
    expect(await queue().claim()).toBeNull();
    await records.change(projectId('other'), { state: 'deleting' }, 'operator');
    expect(await queue().enqueue(newUpdate({ project: 'other' }))).toEqual({ kind: 'unknown_project' });
  });

  test('an expected version is refused once it cannot come true any more', async () => {
    const { store } = under;
    await makeProject(store);
    await enqueue(store, { options: { expectedVersion: 0 } });
    await completeOne(store);
    const expecting = (expectedVersion: number) =>
      queue().enqueue(newUpdate({ options: { expectedVersion } }));
    expect(await expecting(0)).toEqual({ kind: 'version_mismatch', head: 1 });
    expect(await expecting(2)).toEqual({ kind: 'version_mismatch', head: 1 });
    expect(await expecting(1)).toMatchObject({ kind: 'queued' });
    expect(await expecting(2)).toMatchObject({ kind: 'queued' });
    expect(await expecting(4)).toEqual({ kind: 'version_mismatch', head: 1 });
  });

  test('the oldest update of all goes first, and one of a project at a time', async () => {
    const { store } = under;
    for (const id of ['a', 'b', 'c']) await makeProject(store, id);
    const queued = [];
    for (const project of ['b', 'b', 'a', 'c']) queued.push((await enqueue(store, { project })).id);
    const [b1, b2, a1, c1] = queued;
    const first = await claim(store);
    expect(first.update).toMatchObject({
      id: b1,
      status: 'running',
      attempt: 1,
      startedAt: under.clock.now(),
    });
    expect(first.project).toMatchObject({ id: 'b', head: { version: null, revision: 0 } });
    expect((await claim(store)).update.id).toBe(a1);
    expect((await claim(store)).update.id).toBe(c1);
    expect(await queue().claim()).toBeNull();
    expect(await queue().counts()).toEqual({ queued: 1, running: 3 });
    expect(await queue().signals(first)).toEqual({ cancelRequested: false, newerWaits: true });

    await write(store, first, (tx) => tx.update.end(completed));
    // Until it is let go it may still be cleaned up after.
    expect(await queue().claim()).toBeNull();
    await queue().release(first);
    expect((await claim(store)).update.id).toBe(b2);
  });

  test('what waits for later holds up its project and no other one', async () => {
    const { store, clock } = under;
    for (const id of ['a', 'b']) await makeProject(store, id);
    const [first, second] = [await enqueue(store, { project: 'a' }), await enqueue(store, { project: 'a' })];
    const other = await enqueue(store, { project: 'b' });
    const claimed = await claim(store);
    const wait = { notBefore: clock.now() + 500, reason: 'back-off', givesBackAttempt: false } as const;
    await write(store, claimed, (tx) => tx.update.requeue(wait));
    await queue().release(claimed);
    expect(await queue().get(first.id)).toMatchObject({
      status: 'queued',
      attempt: 1,
      notBefore: wait.notBefore,
      waitReason: 'back-off',
    });
    expect((await claim(store)).update.id).toBe(other.id);
    expect(await queue().claim()).toBeNull();

    await clock.advance(500);
    const again = await claim(store);
    expect(again.update).toMatchObject({ id: first.id, attempt: 2, notBefore: null, waitReason: null });
    await write(store, again, (tx) =>
      tx.update.requeue({ ...wait, reason: 'provider-limit', givesBackAttempt: true }),
    );
    await queue().release(again);
    expect(await queue().get(first.id)).toMatchObject({ attempt: 1, startedAt: null });
    await clock.advance(500);
    expect((await claim(store)).update).toMatchObject({ id: first.id, attempt: 2, startedAt: clock.now() });
    expect(await queue().get(second.id)).toMatchObject({ status: 'queued' });
  });

  test('an update whose server died goes before all that wait, and its server can write nothing more', async () => {
    const { store, clock } = under;
    for (const id of ['a', 'b', 'c']) await makeProject(store, id);
    await enqueue(store, { project: 'b' });
    await enqueue(store, { project: 'a' });
    const dead = await claim(store);
    const committed = await claim(store);
    await write(store, committed, (tx) => tx.update.set({ status: 'committed' }));
    const waiting = await enqueue(store, { project: 'c' });
    const other = under.another('second');
    await clock.advance(LEASE_MS - 1);
    expect(await queue().renew(committed)).toBe(true);
    await clock.advance(1);

    const taken = await claim(other);
    expect(taken.update).toMatchObject({ id: dead.update.id, status: 'running', attempt: 2 });
    expect(taken.lease.fence).toBe(dead.lease.fence + 1);
    await expect(write(store, dead, (tx) => tx.project.freeze())).rejects.toThrow(LeaseLost);
    expect(await queue().renew(dead)).toBe(false);
    await queue().release(dead);
    expect((await claim(other)).update.id).toBe(waiting.id);

    await clock.advance(LEASE_MS);
    expect((await claim(other)).update.id).toBe(dead.update.id);
    expect((await claim(other)).update).toMatchObject({
      id: committed.update.id,
      status: 'committed',
      attempt: 1,
    });
  });

  test('a restarted server finds at once what the killed one ran, in a frozen project too', async () => {
    const { store } = under;
    await makeProject(store);
    await enqueue(store);
    const killed = await claim(store);
    await write(store, killed, (tx) => tx.project.freeze());
    const restarted = under.another('second');
    expect(await restarted.projects.queue.claim()).toBeNull();
    expect((await restarted.recover()).leases).toBe(1);
    const taken = await claim(restarted);
    expect(taken).toMatchObject({
      update: { id: killed.update.id, attempt: 2 },
      project: { state: 'frozen' },
    });
  });

  test('a queued update is cancelled at once, a running one is asked', async () => {
    const { store } = under;
    await makeProject(store);
    const [running, queued] = [await enqueue(store), await enqueue(store)];
    const claimed = await claim(store);
    expect(await queue().requestCancel(queued.id)).toBe('cancelled');
    expect(await queue().requestCancel(queued.id)).toBe('already_cancelled');
    expect((await queue().events(queued.id, 0, 10)).map(({ type }) => type)).toEqual([
      'update.queued',
      'update.cancelled',
    ]);
    expect(await queue().requestCancel(running.id)).toBe('asked');
    expect(await queue().requestCancel(running.id)).toBe('asked');
    expect(await queue().signals(claimed)).toEqual({ cancelRequested: true, newerWaits: false });
    await write(store, claimed, (tx) => tx.update.end(completed));
    expect(await queue().requestCancel(running.id)).toBe('already_ended');
    expect(await queue().requestCancel(1e9 as UpdateId)).toBe('unknown_update');
  });

  test('updates are listed newest first, page by page and by status', async () => {
    const { store } = under;
    for (const id of ['shop', 'other']) await makeProject(store, id);
    const ids = [];
    for (let index = 0; index < 3; index += 1) ids.push((await enqueue(store)).id);
    await enqueue(store, { project: 'other' });
    await queue().requestCancel(ids[1]!);
    const list = async (status: 'queued' | 'cancelled' | null, before: UpdateId | null, limit = 10) =>
      (await queue().list(projectId('shop'), { status, before, limit })).map(({ id }) => id);
    expect(await list(null, null)).toEqual([ids[2], ids[1], ids[0]]);
    expect(await list(null, ids[2]!, 1)).toEqual([ids[1]]);
    expect(await list('queued', null)).toEqual([ids[2], ids[0]]);
    expect(await list('cancelled', null)).toEqual([ids[1]]);
  });

  test('eight claimers run a hundred updates of twenty projects: each once, in order, no two of a project at once', async () => {
    const { store } = under;
    const projects = Array.from({ length: 20 }, (_, index) => `p${index}`);
    for (const project of projects) await makeProject(store, project);
    await Promise.all(
      projects.flatMap((project) =>
        [1, 2, 3, 4, 5].map((index) => enqueue(store, { project, prompt: String(index) })),
      ),
    );
    const running = new Set<string>();
    const done: { project: string; prompt: string | null; fence: number }[] = [];
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const own = under.another(`server ${index}`);
        while (done.length < 100) {
          const claimed = await own.projects.queue.claim();
          if (claimed === null) continue;
          const { project, update, lease } = claimed;
          expect(running.has(project.id)).toBe(false);
          running.add(project.id);
          await write(own, claimed, (tx) => tx.events.add('update.started', 0.1, {}));
          await write(own, claimed, async (tx) => {
            await tx.versions.add({
              parentNo: project.head.version,
              restoredNo: null,
              commit: commitId('c'),
              tree: treeId('t'),
              editSession: null,
              finalSession: null,
              changes: { files: 0, added: 0, removed: 0 },
            });
            await tx.head.move(project.head.revision, { version: (project.head.version ?? 0) + 1 });
            await tx.update.end(completed);
          });
          done.push({ project: project.id, prompt: update.prompt, fence: lease.fence });
          running.delete(project.id);
          await own.projects.queue.release(claimed);
        }
      }),
    );
    expect(done).toHaveLength(100);
    for (const project of projects) {
      const own = done.filter((one) => one.project === project);
      expect(own.map(({ prompt }) => prompt)).toEqual(['1', '2', '3', '4', '5']);
      expect(own.map(({ fence }) => fence)).toEqual([1, 2, 3, 4, 5]);
      expect((await store.projects.records.get(projectId(project)))?.head.version).toBe(5);
    }
  });
}
