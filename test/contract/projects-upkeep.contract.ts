import { afterEach, beforeEach, expect, test } from 'vitest';
import { newEntryId } from '../../src/base/ids.ts';
import type { SessionId } from '../../src/base/terms.ts';
import type { Store } from '../../src/store/store.ts';
import {
  addVersion,
  beginSession,
  claim,
  completed,
  completeOne,
  enqueue,
  makeProject,
  projectId,
  RUN_END,
  write,
} from './project-rows.ts';
import type { MakeStoreUnderTest, StoreUnderTest } from './store-under-test.ts';

const SHOP = projectId('shop');
const DAY_MS = 86_400_000;

export function projectsUpkeepContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  let store: Store;
  beforeEach(async () => {
    under = await make();
    ({ store } = under);
    await makeProject(store);
  });
  afterEach(() => under.close());

  /** Completes updates, with an entry in the transcript of each one's session; their sessions. */
  async function completeSome(count: number): Promise<readonly SessionId[]> {
    const sessions: SessionId[] = [];
    for (let made = 0; made < count; made += 1) {
      await enqueue(store);
      const claimed = await claim(store);
      const { session } = await write(store, claimed, (tx) => addVersion(tx, claimed));
      await store.transcripts.append(claimed.lease, session, null, [{ type: 'user', uuid: newEntryId() }]);
      await write(store, claimed, (tx) => tx.update.end(completed));
      await store.projects.queue.release(claimed);
      sessions.push(session);
    }
    return sessions;
  }
  const expire = (limits: { keepVersions: number; limit?: number; ago?: number }) =>
    store.projects.upkeep.expire({
      keepVersions: limits.keepVersions,
      unusedSince: under.clock.now() - (limits.ago ?? 0),
      endedBefore: 0,
      limit: limits.limit ?? 100,
    });
  const withTranscript = async (sessions: readonly SessionId[]) => {
    const loaded = await Promise.all(sessions.map((id) => store.transcripts.load(id, null)));
    return sessions.filter((_, index) => loaded[index] !== null);
  };

  test('transcripts go but for what the head and the last versions go on from', async () => {
    const sessions = await completeSome(5);
    await under.clock.advance(1_000);
    expect(await expire({ keepVersions: 2, ago: 1_000 })).toEqual({ sessions: 0, events: 0 });
    expect(await expire({ keepVersions: 2, limit: 1 })).toEqual({ sessions: 1, events: 0 });
    expect(await expire({ keepVersions: 2 })).toEqual({ sessions: 2, events: 0 });
    expect(await expire({ keepVersions: 2 })).toEqual({ sessions: 0, events: 0 });
    expect(await withTranscript(sessions)).toEqual(sessions.slice(3));
    expect(await store.projects.records.session(SHOP, sessions[0]!)).toMatchObject({ state: 'deleted' });
    const last = (await store.projects.records.audit(SHOP, 0, 100)).at(-1);
    expect(last).toMatchObject({ event: 'deleted', actor: 'server', reason: 'retention' });

    // The head can go back to an old one, and keeps it.
    await enqueue(store, { kind: 'restore' });
    const claimed = await claim(store);
    await write(store, claimed, (tx) => tx.head.move(5, { session: sessions[3]! }));
    await under.clock.advance(1_000);
    expect(await expire({ keepVersions: 0 })).toEqual({ sessions: 0, events: 0 });
    await write(store, claimed, (tx) => tx.update.end(completed));
    expect(await expire({ keepVersions: 0 })).toEqual({ sessions: 1, events: 0 });
    expect(await withTranscript(sessions)).toEqual([sessions[3]]);
  });

  test('events of updates that ended long ago go, but for their versions and their ends', async () => {
    const { clock } = under;
    const end = async () => {
      await enqueue(store);
      const claimed = await claim(store);
      await write(store, claimed, async (tx) => {
        await tx.steps.begin('edit', null, {});
        await addVersion(tx, claimed);
      });
      return claimed;
    };
    const old = await end();
    await write(store, old, (tx) => tx.update.end(completed));
    await store.projects.queue.release(old);
    const open = await end();
    await clock.advance(10);
    const { queue, upkeep } = store.projects;
    const limits = { keepVersions: 9, unusedSince: 0, endedBefore: clock.now() };
    expect(await upkeep.expire({ ...limits, endedBefore: clock.now() - 10, limit: 9 })).toEqual({
      sessions: 0,
      events: 0,
    });
    expect(await upkeep.expire({ ...limits, limit: 1 })).toEqual({ sessions: 0, events: 1 });
    expect(await upkeep.expire({ ...limits, limit: 9 })).toEqual({ sessions: 0, events: 1 });
    expect((await queue.events(old.update.id, 0, 10)).map(({ seq, type }) => [seq, type])).toEqual([
      [3, 'version.created'],
      [4, 'update.completed'],
    ]);
    expect(await queue.events(open.update.id, 0, 10)).toHaveLength(3);
  });

  test('samples of ended updates tell what they took and whether they were undone', async () => {
    const { clock } = under;
    await makeProject(store, 'other');
    const from = clock.now();
    await enqueue(store);
    await completeOne(store);
    await enqueue(store);
    const claimed = await claim(store);
    await clock.advance(1_000);
    await write(store, claimed, async (tx) => {
      await tx.update.set({
        decision: { decision: 'resume', reason: 'ok', arm: 'resume' },
        outcome: 'accepted',
      });
      const sessionId = await beginSession(tx);
      const run = await tx.runs.begin({ purpose: 'edit', mode: 'fork', sessionId });
      await tx.runs.end(run, RUN_END);
      await addVersion(tx, claimed);
      await tx.update.end(completed);
    });
    await store.projects.queue.release(claimed);
    await clock.advance(DAY_MS);
    await enqueue(store, { kind: 'restore' });
    await completeOne(store, 1);
    await clock.advance(1);
    await enqueue(store, { project: 'other' });
    const other = await claim(store);
    await write(store, other, async (tx) => {
      const sessionId = await beginSession(tx);
      const run = await tx.runs.begin({ purpose: 'edit', mode: 'fresh', sessionId });
      await tx.runs.end(run, { ...RUN_END, usage: { ...RUN_END.usage, costUsd: 0, runsWithoutCost: 1 } });
      await tx.update.end({ ...completed, status: 'failed' });
    });
    const unstarted = await enqueue(store);
    await store.projects.queue.requestCancel(unstarted.id);

    const { resumeSamples } = store.projects.upkeep;
    const to = clock.now() + 1;
    const samples = await resumeSamples(null, from, to, 10);
    expect(samples.map(({ status, restoredAway, costUsd }) => [status, restoredAway, costUsd])).toEqual([
      ['failed', false, null],
      ['completed', true, 0.25],
      ['completed', false, 0],
    ]);
    expect(samples[1]).toEqual({
      decision: 'resume',
      reason: 'ok',
      outcome: 'accepted',
      arm: 'resume',
      status: 'completed',
      costUsd: 0.25,
      tokens: 100,
      startedAt: from,
      committedAt: from + 1_000,
      fixTurns: 0,
      restoredAway: true,
    });
    expect(await resumeSamples(SHOP, from, to, 10)).toHaveLength(2);
    expect(await resumeSamples(SHOP, from, to, 1)).toHaveLength(1);
    expect(await resumeSamples(null, from, from, 10)).toEqual([]);
  });

  test('an update that was undone after more than a day was not restored away', async () => {
    await enqueue(store);
    await enqueue(store);
    await completeOne(store);
    await completeOne(store);
    await under.clock.advance(DAY_MS + 1);
    await enqueue(store, { kind: 'restore' });
    await completeOne(store, 1);
    const samples = await store.projects.upkeep.resumeSamples(SHOP, 0, 1e15, 10);
    expect(samples.map(({ restoredAway }) => restoredAway)).toEqual([false, false]);
  });
}
