import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newEntryId, newSessionId } from '../../src/base/ids.ts';
import type { SessionId } from '../../src/base/terms.ts';
import { ADMIN_USER, DEFAULT_POLICY, projectKey } from '../../src/projects/projects.ts';
import type { Tx } from '../../src/store/database.ts';
import {
  addVersion,
  claim,
  commitId,
  completed,
  completeOne,
  enqueue,
  makeProject,
  projectId,
  RUN_END,
  treeId,
  write,
} from './project-rows.ts';
import type { MakeStoreUnderTest, StoreUnderTest } from './store-under-test.ts';

const SHOP = projectId('shop');

export function projectsContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(() => under.close());
  const records = () => under.store.projects.records;
  const audit = async (after = 0) =>
    (await records().audit(SHOP, after, 100)).map(({ event, actor, reason }) => ({ event, actor, reason }));

  test('a project begins with an empty head, and is listed in the order of the ids', async () => {
    const { store, clock } = under;
    const made = await makeProject(store);
    expect(made).toEqual({
      id: SHOP,
      name: 'The shop',
      ownerId: 'owner',
      state: 'active',
      policy: DEFAULT_POLICY,
      head: { version: null, session: null, commit: null, revision: 0 },
      createdAt: clock.now(),
    });
    expect(await records().get(SHOP)).toEqual(made);
    expect(await records().get(projectId('none'))).toBeNull();
    for (const id of ['b', 'a', 'c']) await makeProject(store, id);
    const ids = async (after: string | null, limit: number) =>
      (await records().list(after === null ? null : projectId(after), limit)).map(({ id }) => id);
    expect(await ids(null, 10)).toEqual(['a', 'b', 'c', 'shop']);
    expect(await ids('a', 2)).toEqual(['b', 'c']);
    expect(await audit()).toEqual([{ event: 'created', actor: 'user', reason: null }]);
  });

  test('a change of what decides about resuming is in the audit, another one is not', async () => {
    await makeProject(under.store);
    const policy = { ...DEFAULT_POLICY, holdout_percent: 10 };
    expect(await records().change(SHOP, { name: 'Shop', policy }, 'user')).toMatchObject({
      name: 'Shop',
      policy: { holdout_percent: 10 },
      state: 'active',
    });
    await records().change(SHOP, { policy: { ...policy, model: 'm' } }, 'user');
    await records().change(SHOP, { policy: { ...policy, resume: 'off' } }, 'operator');
    expect((await audit()).slice(1)).toEqual([
      { event: 'flag_changed', actor: 'user', reason: 'resume on, holdout 10 %' },
      { event: 'flag_changed', actor: 'operator', reason: 'resume off, holdout 10 %' },
    ]);
    expect(await records().change(projectId('none'), { name: 'x' }, 'user')).toBeNull();
    await records().change(SHOP, { state: 'deleting' }, 'user');
    expect(await records().change(SHOP, { state: 'active' }, 'user')).toMatchObject({ state: 'deleting' });
  });

  test('a policy that was stored before a field existed has its default', async () => {
    await makeProject(under.store);
    await under.database.write((trx) =>
      trx.updateTable('projects').set({ policy: '{"fix_turns":7}' }).execute(),
    );
    expect((await records().get(SHOP))?.policy).toEqual({ ...DEFAULT_POLICY, fix_turns: 7 });
  });

  test('a token is good for its project and its user until it is revoked', async () => {
    const { store, clock } = under;
    for (const id of ['shop', 'other']) await makeProject(store, id);
    const facts = { projectId: SHOP, userId: 'jane', label: 'laptop' };
    const token = await records().addToken({ ...facts, hash: 'h1' });
    await records().addToken({ ...facts, projectId: projectId('other'), userId: 'eve', hash: 'h3' });
    expect(token).toEqual({ ...facts, id: token.id, createdAt: clock.now(), revokedAt: null });
    await expect(records().addToken({ ...facts, hash: 'h1' })).rejects.toThrow();
    expect(await records().findToken('h1')).toEqual(token);
    expect(await records().findToken('h2')).toBeNull();
    expect(await records().mayWrite(SHOP, 'jane')).toBe(true);
    expect(await records().mayWrite(SHOP, 'owner')).toBe(true);
    expect(await records().mayWrite(SHOP, ADMIN_USER)).toBe(true);
    expect(await records().mayWrite(SHOP, 'eve')).toBe(false);
    expect(await records().mayWrite(projectId('other'), 'jane')).toBe(false);

    expect(await records().revokeToken(projectId('other'), token.id)).toBe(false);
    expect(await records().revokeToken(SHOP, token.id)).toBe(true);
    await clock.advance(5);
    expect(await records().revokeToken(SHOP, token.id)).toBe(true);
    expect(await records().findToken('h1')).toBeNull();
    expect(await records().mayWrite(SHOP, 'jane')).toBe(false);
    expect(await records().tokens(SHOP)).toEqual([{ ...token, revokedAt: token.createdAt }]);
  });

  test('the audit is read page by page, and the database refuses to change or delete an entry', async () => {
    await makeProject(under.store);
    for (const resume of ['off', 'on', 'off'] as const)
      await records().change(SHOP, { policy: { ...DEFAULT_POLICY, resume } }, 'user');
    const [first, second] = await records().audit(SHOP, 0, 2);
    expect((await records().audit(SHOP, second!.id, 10)).map(({ id }) => id)).toHaveLength(2);
    const change = (work: (trx: Tx) => Promise<unknown>) => under.database.write(work);
    const refused = /append-only/;
    await expect(
      change((trx) => trx.updateTable('project_audit').set({ reason: 'x' }).execute()),
    ).rejects.toThrow(refused);
    await expect(
      change((trx) => trx.deleteFrom('project_audit').where('id', '=', first!.id).execute()),
    ).rejects.toThrow(refused);
    expect(await records().audit(SHOP, 0, 1)).toEqual([first]);
  });

  test('no row of one project can name a session or a version of another one', async () => {
    const { store, database } = under;
    for (const id of ['shop', 'other']) await makeProject(store, id);
    for (let made = 0; made < 2; made += 1) await enqueue(store, { project: 'other' });
    await completeOne(store);
    const { session } = await completeOne(store);
    await enqueue(store);
    const own = await claim(store);
    const refused = (work: Parameters<typeof write>[2]) =>
      expect(write(store, own, work)).rejects.toThrow(/foreign key|FOREIGN KEY|refused/);

    await refused((tx) => tx.head.move(0, { session }));
    await refused((tx) => tx.head.move(0, { version: 2 }));
    await refused((tx) => tx.steps.begin('edit', session, {}));
    await refused((tx) => tx.runs.begin({ purpose: 'edit', mode: 'fork', sessionId: session }));
    const born = { origin: 'edit', agentVersion: '1', model: null } as const;
    await refused((tx) => tx.sessions.begin({ ...born, sessionId: newSessionId(), parentId: session }));
    await refused((tx) => tx.sessions.begin({ ...born, sessionId: session, parentId: null }).catch(rethrow));
    const version = { commit: commitId('c'), tree: treeId('t'), changes: { files: 0, added: 0, removed: 0 } };
    const none = { parentNo: null, restoredNo: null, editSession: null, finalSession: null };
    for (const foreign of [
      { editSession: session },
      { finalSession: session },
      { parentNo: 2 },
      { restoredNo: 2 },
    ])
      await refused((tx) => tx.versions.add({ ...version, ...none, ...foreign }));
    const theirs = (tx: Tx) =>
      tx
        .updateTable('update_steps')
        .set({ project_id: projectId('other') })
        .execute();
    await write(store, own, (tx) => tx.steps.begin('edit', null, {}));
    await expect(database.write(theirs)).rejects.toThrow();

    await expect(write(store, own, (tx) => tx.sessions.end(session, 'lost', 'x'))).rejects.toThrow();
    await expect(write(store, own, (tx) => tx.sessions.failed(session))).rejects.toThrow();
    expect(await records().session(SHOP, session)).toBeNull();
    expect(await records().session(projectId('other'), session)).toMatchObject({ state: 'active' });
    expect((await records().get(SHOP))?.head.revision).toBe(0);
  });

  test('the database refuses a second update that runs in a project', async () => {
    const { store, database } = under;
    await makeProject(store);
    await enqueue(store);
    await enqueue(store);
    await claim(store);
    const start = (trx: Tx) =>
      trx.updateTable('updates').set({ status: 'committed' }).where('status', '=', 'queued').execute();
    await expect(database.write(start)).rejects.toThrow();
  });

  test('a reset gives up the session of the head, but never under an update', async () => {
    const { store } = under;
    await makeProject(store);
    await makeProject(store, 'other');
    const other = (await records().get(projectId('other')))!.head;
    await enqueue(store);
    const { session, version } = await completeOne(store);
    await enqueue(store);
    const running = await claim(store);
    expect(await records().resetSession(SHOP, 'jane')).toBe(false);
    await write(store, running, (tx) => tx.update.end(completed));
    const { head } = (await records().get(SHOP))!;
    expect(await records().resetSession(SHOP, 'jane')).toBe(true);
    expect((await records().get(SHOP))?.head).toEqual({
      ...head,
      session: null,
      revision: head.revision + 1,
    });
    expect((await records().get(projectId('other')))?.head).toEqual(other);
    expect(await records().session(SHOP, session)).toMatchObject({ state: 'superseded' });
    expect((await audit()).slice(-2)).toEqual([
      { event: 'superseded', actor: 'user', reason: null },
      { event: 'reset', actor: 'user', reason: null },
    ]);
    expect(head.version).toBe(version);
    expect(await records().resetSession(projectId('none'), 'jane')).toBe(false);
  });

  test('a purge leaves nothing of a project but its audit and what it cost', async () => {
    const { store, database } = under;
    for (const id of ['shop', 'other']) await makeProject(store, id);
    await records().addToken({ projectId: SHOP, userId: 'jane', label: '', hash: 'h1' });
    await enqueue(store);
    const claimed = await claim(store);
    const session = await write(store, claimed, async (tx) => {
      await tx.steps.begin('edit', null, {});
      const made = await addVersion(tx, claimed);
      const run = await tx.runs.begin({ purpose: 'edit', mode: 'fresh', sessionId: made.session });
      await tx.runs.end(run, RUN_END);
      return made.session;
    });
    await store.transcripts.append(claimed.lease, session, null, [{ type: 'user', uuid: newEntryId() }]);
    await enqueue(store);
    await expect(records().purge(SHOP)).rejects.toThrow('not being deleted');
    await records().change(SHOP, { state: 'deleting' }, 'user');
    expect(await records().purge(SHOP)).toBe(false);
    expect(await store.transcripts.load(session, null)).toHaveLength(1);

    await write(store, claimed, (tx) => tx.update.end(completed));
    await store.projects.queue.release(claimed);
    expect(await store.projects.queue.claim()).toBeNull();
    expect(await records().purge(SHOP)).toBe(true);
    expect(await records().purge(SHOP)).toBe(true);
    expect(await records().get(SHOP)).toBeNull();
    expect(await tablesWith(SHOP, session)).toEqual(['leases', 'ledger', 'project_audit']);
    expect((await audit()).at(-1)).toEqual({ event: 'project_deleted', actor: 'server', reason: null });
    expect(await records().get(projectId('other'))).not.toBeNull();
    const left = await database.read.selectFrom('update_events').selectAll().execute();
    expect(left).toEqual([]);
  });

  /** Tables in which a project or its session is named in any column. */
  async function tablesWith(id: string, session: SessionId): Promise<readonly string[]> {
    const { read } = under.database;
    const tables = await read.introspection.getTables();
    const found: string[] = [];
    for (const { name } of tables) {
      const rows = await sql<object>`select * from ${sql.table(name)}`.execute(read);
      const values = rows.rows.flatMap((row) => Object.values(row));
      if ([id, session, projectKey(projectId(id))].some((value) => values.includes(value))) found.push(name);
    }
    return found.sort();
  }
}

function rethrow(error: unknown): never {
  throw new Error('refused', { cause: error });
}
