import { afterEach, beforeEach, expect, test } from 'vitest';
import { newEntryId, newSessionId } from '../../src/base/ids.ts';
import { type Claim, projectKey, type RunUsage } from '../../src/projects/projects.ts';
import type { Store } from '../../src/store/store.ts';
import {
  addVersion,
  beginSession,
  claim,
  commitId,
  completed,
  completeOne,
  enqueue,
  makeProject,
  projectId,
  RUN_END,
  treeId,
  versionOf,
  write,
} from './project-rows.ts';
import { USAGE } from './rows.ts';
import { LEASE_MS, type MakeStoreUnderTest, type StoreUnderTest } from './store-under-test.ts';

const SHOP = projectId('shop');

export function projectsWorkContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  let store: Store;
  beforeEach(async () => {
    under = await make();
    ({ store } = under);
    await makeProject(store);
  });
  afterEach(() => under.close());

  async function claimNew(): Promise<Claim> {
    await enqueue(store);
    return claim(store);
  }
  const updateOf = async ({ update }: Claim) => {
    const now = await store.projects.queue.get(update.id);
    if (now === null) throw new Error('it is gone');
    return now;
  };
  const typesOf = async ({ update }: Claim) =>
    (await store.projects.queue.events(update.id, 0, 100)).map(({ type }) => type);
  const headOf = async () => (await store.projects.records.get(SHOP))?.head;
  const auditOf = async () =>
    (await store.projects.records.audit(SHOP, 0, 100)).map(({ event, reason }) => [event, reason]);

  test('version, head and state of an update stand in one transaction, or none of them', async () => {
    const claimed = await claimNew();
    const half = write(store, claimed, async (tx) => {
      await addVersion(tx, claimed);
      throw new Error('the server falls over');
    });
    await expect(half).rejects.toThrow('falls over');
    expect(await headOf()).toMatchObject({ version: null, revision: 0 });
    expect(await store.projects.records.versions(SHOP, null, 10)).toEqual([]);

    const { session } = await write(store, claimed, (tx) => addVersion(tx, claimed));
    expect(await headOf()).toEqual({ version: 1, session, commit: 'c1', revision: 1 });
    expect(await updateOf(claimed)).toMatchObject({
      status: 'committed',
      resultVersion: 1,
      committedAt: under.clock.now(),
    });
    const version = await store.projects.records.version(SHOP, 1);
    expect(version).toEqual({
      ...versionOf(null, session),
      projectId: SHOP,
      no: 1,
      updateId: claimed.update.id,
      kind: 'update',
      prompt: 'make it blue',
      metadata: {
        state: 'pending',
        title: null,
        description: null,
        changeType: null,
        recommendations: [],
        documentation: null,
      },
      createdBy: 'jane',
      createdAt: under.clock.now(),
    });
    await expect(write(store, claimed, (tx) => tx.versions.add(versionOf(1, session)))).rejects.toThrow();
  });

  test('versions count within their project, and are described later', async () => {
    await makeProject(store, 'other');
    for (const project of ['shop', 'other', 'shop']) await enqueue(store, { project });
    for (let made = 0; made < 3; made += 1) await completeOne(store);
    const { records } = store.projects;
    const numbers = async (before: number | null, limit: number) =>
      (await records.versions(SHOP, before, limit)).map(({ no }) => no);
    expect(await numbers(null, 10)).toEqual([2, 1]);
    expect(await numbers(2, 10)).toEqual([1]);
    expect(await records.version(projectId('other'), 2)).toBeNull();

    const claimed = await claimNew();
    const recommendation = {
      title: 'Green',
      description: 'd',
      category: 'c',
      complexity: 'easy',
      impact: 'low',
      prompt: 'make it green',
    } as const;
    const session = await write(store, claimed, async (tx) => {
      await tx.versions.describe(2, { state: 'ready', title: 'Blue', recommendations: [recommendation] });
      const compacted = await beginSession(tx);
      await tx.versions.describe(2, { changeType: 'minor', finalSession: compacted });
      return compacted;
    });
    expect(await records.version(SHOP, 2)).toMatchObject({
      finalSession: session,
      metadata: { state: 'ready', title: 'Blue', changeType: 'minor', recommendations: [recommendation] },
    });
    await expect(write(store, claimed, (tx) => tx.versions.describe(9, {}))).rejects.toThrow();
  });

  test('the head moves from the revision that was read, and supersedes the session that it leaves', async () => {
    await enqueue(store);
    const { session } = await completeOne(store);
    const claimed = await claimNew();
    const next = await write(store, claimed, (tx) => beginSession(tx, session));
    const stale = write(store, claimed, (tx) => tx.head.move(0, { session: next }));
    await expect(stale).rejects.toThrow('has moved');
    const moved = await write(store, claimed, (tx) => tx.head.move(1, { session: next }));
    expect(moved).toEqual({ version: 1, session: next, commit: 'c1', revision: 2 });
    expect(await headOf()).toEqual(moved);
    expect(await store.projects.records.session(SHOP, session)).toMatchObject({ state: 'superseded' });
    expect((await auditOf()).slice(-2)).toEqual([
      ['superseded', null],
      ['head_moved', 'version 1'],
    ]);
    // Back to the one of a version that is restored, which stays what it is.
    await write(store, claimed, (tx) => tx.head.move(2, { session, commit: commitId('s') }));
    await write(store, claimed, (tx) => tx.head.move(3, { session: null }));
    expect(await store.projects.records.session(SHOP, session)).toMatchObject({ state: 'superseded' });
  });

  test('a session is provisional until it is confirmed, and its end is in the audit', async () => {
    const claimed = await claimNew();
    const sessionId = newSessionId();
    const { clock } = under;
    const created = clock.now();
    await write(store, claimed, (tx) =>
      tx.sessions.begin({ sessionId, parentId: null, origin: 'edit', agentVersion: '1.2', model: 'm' }),
    );
    const born = {
      sessionId,
      projectId: SHOP,
      parentId: null,
      origin: 'edit',
      state: 'provisional',
      settledEntry: null,
      tree: null,
      agentVersion: '1.2',
      model: 'm',
      contextTokens: null,
      failures: 0,
      createdBy: 'jane',
      createdAt: created,
      lastUsedAt: created,
    };
    const sessionNow = () => store.projects.records.session(SHOP, sessionId);
    expect(await sessionNow()).toEqual(born);
    await clock.advance(5);
    const seen = { settledEntry: newEntryId(), tree: treeId('t'), contextTokens: 900 };
    await write(store, claimed, (tx) => tx.sessions.confirm(sessionId, seen));
    expect(await sessionNow()).toEqual({ ...born, ...seen, state: 'active', lastUsedAt: created + 5 });
    expect(await write(store, claimed, (tx) => tx.sessions.failed(sessionId))).toBe(1);
    expect(await write(store, claimed, (tx) => tx.sessions.failed(sessionId))).toBe(2);

    await store.transcripts.append(claimed.lease, sessionId, null, [{ type: 'user', uuid: newEntryId() }]);
    await write(store, claimed, (tx) => tx.sessions.end(sessionId, 'quarantined', 'unhealthy'));
    await expect(write(store, claimed, (tx) => tx.sessions.confirm(sessionId, seen))).rejects.toThrow();
    expect(await store.transcripts.load(sessionId, null)).toHaveLength(1);
    await write(store, claimed, (tx) => tx.sessions.end(sessionId, 'deleted', 'over'));
    expect(await store.transcripts.load(sessionId, null)).toBeNull();
    expect(await sessionNow()).toMatchObject({ state: 'deleted', failures: 2 });
    await write(store, claimed, (tx) => tx.audit.add({ event: 'decision', sessionId, reason: 'ok' }));
    expect((await auditOf()).slice(1)).toEqual([
      ['created', 'edit'],
      ['confirmed', null],
      ['quarantined', 'unhealthy'],
      ['deleted', 'over'],
      ['decision', 'ok'],
    ]);
    const [, entry] = await store.projects.records.audit(SHOP, 0, 2);
    expect(entry).toMatchObject({ actor: 'server', userId: 'jane', updateId: claimed.update.id, sessionId });
  });

  test('events count up within their update, and progress never falls', async () => {
    const claimed = await claimNew();
    await write(store, claimed, async (tx) => {
      await tx.events.add('update.started', 0.3, { attempt: 1 });
      await tx.events.add('agent.message', 0.1, { text: 'zażółć' });
      await tx.steps.begin('verify', null, {});
    });
    await write(store, claimed, (tx) => tx.update.end(completed));
    const events = await store.projects.queue.events(claimed.update.id, 1, 10);
    expect(events.map(({ seq, type, progress }) => [seq, type, progress])).toEqual([
      [2, 'update.started', 0.3],
      [3, 'agent.message', 0.3],
      [4, 'step.started', 0.75],
      [5, 'update.completed', 1],
    ]);
    expect(events[1]?.payload).toEqual({ text: 'zażółć' });
    expect(await store.projects.queue.events(claimed.update.id, 4, 10)).toHaveLength(1);
    expect(await store.projects.queue.events(claimed.update.id, 0, 2)).toHaveLength(2);
  });

  test('an update ends once, with one terminal event that the database refuses a second of', async () => {
    const claimed = await claimNew();
    const failed = {
      status: 'failed',
      error: { code: 'agent_failed', detail: 'x' },
      payload: { code: 1 },
    } as const;
    await write(store, claimed, (tx) => tx.update.end(failed));
    await expect(write(store, claimed, (tx) => tx.update.end(completed))).rejects.toThrow('cannot be');
    await expect(write(store, claimed, (tx) => tx.update.set({ fixTurns: 1 }))).rejects.toThrow('not run');
    expect(await updateOf(claimed)).toMatchObject({
      status: 'failed',
      error: failed.error,
      finishedAt: under.clock.now(),
    });
    expect(await typesOf(claimed)).toEqual(['update.queued', 'update.failed']);
    const event = { update_id: claimed.update.id, seq: 3, at: 1, progress: 1, payload: '{}' };
    const second = under.database.write((trx) =>
      trx
        .insertInto('update_events')
        .values({ ...event, type: 'update.cancelled' })
        .execute(),
    );
    await expect(second).rejects.toThrow();
  });

  test('what is committed can only be completed, and is not queued again', async () => {
    const claimed = await claimNew();
    await write(store, claimed, (tx) => tx.update.set({ status: 'committed' }));
    for (const status of ['failed', 'cancelled'] as const)
      await expect(write(store, claimed, (tx) => tx.update.end({ ...completed, status }))).rejects.toThrow();
    const wait = { notBefore: 1, reason: 'back-off', givesBackAttempt: false } as const;
    await expect(write(store, claimed, (tx) => tx.update.requeue(wait))).rejects.toThrow();
    await write(store, claimed, (tx) => tx.update.end(completed));
    expect(await updateOf(claimed)).toMatchObject({ status: 'completed', error: null });
  });

  test('a change sets what it names', async () => {
    const claimed = await claimNew();
    await write(store, claimed, async (tx) => {
      await tx.update.set({ step: 'edit', baseVersion: 3, fixTurns: 2 });
      await tx.update.set({ decision: { decision: 'fresh', reason: 'holdout', arm: 'holdout' } });
      await tx.update.set({ outcome: 'not-attempted', degraded: 'fell_back' });
      await tx.update.set({ degraded: 'no_changes' });
      await tx.update.set({ degraded: 'fell_back' });
      await tx.update.set({});
    });
    expect(await updateOf(claimed)).toMatchObject({
      step: 'edit',
      baseVersion: 3,
      fixTurns: 2,
      attempt: 1,
      resume: { decision: 'fresh', reason: 'holdout', arm: 'holdout', outcome: 'not-attempted' },
      degraded: ['fell_back', 'no_changes'],
    });
  });

  test('whoever takes over sees the steps in their order, and the runs that never ended', async () => {
    const claimed = await claimNew();
    const base = commitId('c');
    const run = await write(store, claimed, async (tx) => {
      await tx.steps.begin('prepare', null, { base });
      await tx.steps.end('prepare', 'succeeded', {});
      await tx.steps.begin('edit', null, { base });
      await tx.steps.end('edit', 'succeeded', { checkpoint: { tree: treeId('t') } });
      await tx.steps.begin('verify', null, {});
      const session = await beginSession(tx);
      const ended = await tx.runs.begin({ purpose: 'edit', mode: 'fresh', sessionId: session });
      await tx.runs.end(ended, RUN_END);
      return tx.runs.begin({ purpose: 'edit', mode: 'resume', sessionId: session });
    });
    await expect(write(store, claimed, (tx) => tx.steps.end('edit', 'failed', {}))).rejects.toThrow(
      'not run',
    );
    await under.clock.advance(LEASE_MS);

    const other = under.another('second');
    const taken = await claim(other);
    const step = { attempt: 1, inputSession: null, outputSession: null };
    expect(taken.steps).toEqual([
      { ...step, kind: 'prepare', state: 'succeeded', checkpoint: { base } },
      { ...step, kind: 'edit', state: 'succeeded', checkpoint: { base, tree: 't' } },
      { ...step, kind: 'verify', state: 'running', checkpoint: {} },
    ]);
    expect(taken.openRuns).toMatchObject([{ id: run, mode: 'resume', outcome: 'running', finishedAt: null }]);
    await write(other, taken, async (tx) => {
      await tx.steps.interrupt();
      await tx.runs.end(run, { ...RUN_END, outcome: 'interrupted' });
      await tx.steps.begin('verify', null, {});
    });
    await under.clock.advance(LEASE_MS);
    const third = await claim(store);
    expect(third.steps.map(({ kind, attempt, state }) => [kind, attempt, state])).toEqual([
      ['prepare', 1, 'succeeded'],
      ['edit', 1, 'succeeded'],
      ['verify', 1, 'interrupted'],
      ['verify', 2, 'running'],
    ]);
    expect(third.openRuns).toEqual([]);
    expect((await typesOf(claimed)).filter((type) => type === 'step.finished')).toHaveLength(2);
  });

  test('what runs took is summed up, and stands in the ledger under the project, as no use of a bot', async () => {
    const claimed = await claimNew();
    const sessionId = await write(store, claimed, (tx) => beginSession(tx));
    const end = (usage: Partial<RunUsage>) =>
      write(store, claimed, async (tx) => {
        const run = await tx.runs.begin({ purpose: 'edit', mode: 'fork', sessionId });
        await tx.runs.end(run, { ...RUN_END, usage: { ...RUN_END.usage, ...usage } });
        return run;
      });
    await end({});
    const last = await end({ costUsd: 0, runsWithoutCost: 1 });
    const { spent } = await updateOf(claimed);
    expect(spent).toEqual({
      costUsd: 0.25,
      inputTokens: 2 * USAGE.inputTokens,
      outputTokens: 2 * USAGE.outputTokens,
      cacheReadTokens: 2 * USAGE.cacheReadTokens,
      cacheWriteTokens: 2 * USAGE.cacheWriteTokens,
      runsWithoutCost: 1,
    });
    const [listed] = await store.projects.queue.list(SHOP, { status: null, before: null, limit: 1 });
    expect(listed?.spent).toEqual(spent);
    const runs = await store.projects.queue.runs(claimed.update.id);
    expect(runs[1]).toMatchObject({ id: last, steps: 3, outcome: 'ok', finishedAt: under.clock.now() });
    await expect(write(store, claimed, (tx) => tx.runs.end(last, RUN_END))).rejects.toThrow('does not run');
    expect(await store.ledger.spent({ conversation: projectKey(SHOP), since: 0 })).toBe(0.25);
    expect((await store.ledger.totals('bot', 0, 10)).map(({ of }) => of)).toEqual(['#project']);
  });
}
