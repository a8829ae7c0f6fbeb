import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newEntryId, newSessionId } from '../../src/base/ids.ts';
import { type ConversationKey, roomId } from '../../src/base/terms.ts';
import type { SessionRecord } from '../../src/session/session.ts';
import { makeRetentionRuns } from '../../src/store/retention.ts';
import { makeLog } from '../../src/telemetry/log.ts';
import { makeMetrics } from '../../src/telemetry/metrics.ts';
import { completeOne, enqueue, makeProject, projectId } from './project-rows.ts';
import {
  accept,
  conversationIn,
  leaseOf,
  ledgerOf,
  messageOf,
  recordOf,
  replyIn,
  runOneTurn,
  turnOf,
} from './rows.ts';
import { LEASE_MS, type MakeStoreUnderTest, type StoreUnderTest } from './store-under-test.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const PERIOD = 5 * 60_000;

export function retentionContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(() => under.close());

  const workspaces: ConversationKey[] = [];
  const metrics = makeMetrics();
  type TtlOf = (conversation: ConversationKey) => number | null;
  function makeRuns(options: { ttl?: number | null | TtlOf; deleteWorkspace?: () => Promise<void> } = {}) {
    const { ttl = DAY } = options;
    workspaces.length = 0;
    return makeRetentionRuns({
      retention: under.store.retention,
      projects: under.store.projects.upkeep,
      leases: under.store.leases,
      clock: under.clock,
      keep: { retentionMs: 30 * DAY, catchUpMs: 6 * HOUR },
      ttlOf: typeof ttl === 'function' ? ttl : () => ttl,
      deleteWorkspace: async (conversation) => {
        await options.deleteWorkspace?.();
        workspaces.push(conversation);
      },
      metrics,
      log: makeLog({ level: 'silent', pretty: false }),
    });
  }

  const count = (
    table: 'inbox' | 'outbox' | 'sessions' | 'turns' | 'ledger' | 'transcript_entries' | 'room_messages',
  ) =>
    under.database.read
      .selectFrom(table)
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
      .then((row) => Number(row.count));

  /** A current session of the room, used now. */
  async function begin(room: number, facts: Partial<SessionRecord> = {}): Promise<SessionRecord> {
    const now = under.clock.now();
    const record = recordOf(room, { state: 'active', createdAt: now, lastUsedAt: now, ...facts });
    const lease = await leaseOf(under.store, room);
    await under.store.sessions.begin(lease, record, 'expired');
    await under.store.leases.release(lease);
    return record;
  }

  async function remember(room: number, record: SessionRecord, entries: number): Promise<void> {
    const lease = await leaseOf(under.store, room);
    const said = Array.from({ length: entries }, () => ({ type: 'user', uuid: newEntryId() }));
    await under.store.transcripts.append(lease, record.sessionId, null, said);
    await under.store.transcripts.append(lease, record.sessionId, 'subagents/1', said.slice(0, 1));
    await under.store.leases.release(lease);
  }

  async function book(room: number): Promise<void> {
    const lease = await leaseOf(under.store, room);
    const at = under.clock.now();
    await under.store.turns.transaction(lease, async (tx) => {
      await tx.ledger.add({ ...ledgerOf(room), at });
      await tx.turns.add(turnOf(room, { endedAt: at }));
    });
    await under.store.leases.release(lease);
  }

  async function send(room: number, text: string, end: 'sent' | 'buried'): Promise<void> {
    const { outbox } = under.store;
    await outbox.add([replyIn(room, text)]);
    const [row] = await outbox.claim(under.clock.now(), new Set(), 1);
    await outbox.finish(
      row!.id,
      end === 'sent' ? { kind: 'sent', platformId: text } : { kind: 'buried', reason: 'too_old' },
    );
  }

  describe('messages', () => {
    test('go with their dedupe keys when they have ended for long enough, and no sooner', async () => {
      const { store, clock } = under;
      await accept(store, { messageId: '41', text: 'old' });
      await runOneTurn(store);
      await clock.advance(DAY);
      await accept(store, { messageId: '42', text: 'newer' });
      await runOneTurn(store);

      await clock.advance(29 * DAY);
      await makeRuns().run();
      expect(await count('inbox')).toBe(2);
      await clock.advance(1);
      await makeRuns().run();
      expect(await count('inbox')).toBe(1);
      expect(await store.inbox.accept(messageOf({ messageId: '41', text: 'old' }))).toMatchObject({
        kind: 'accepted',
        idReused: false,
      });
      expect(await store.inbox.accept(messageOf({ messageId: '42', text: 'newer' }))).toEqual({
        kind: 'duplicate',
      });
    });

    test('that are not finished stay, however old', async () => {
      await accept(under.store, { text: 'waits' });
      await accept(under.store, { room: 2, text: 'newest' });
      await under.clock.advance(400 * DAY);
      await makeRuns().run();
      expect(await under.store.inbox.counts()).toMatchObject({ waiting: 2, total: 2 });
    });

    test('leave the newest one behind, without its text: what was accepted in all is still known', async () => {
      for (const text of ['a', 'b', 'c']) await accept(under.store, { text });
      for (let turn = 0; turn < 3; turn += 1) await runOneTurn(under.store);
      await under.clock.advance(31 * DAY);
      await makeRuns().run();
      expect((await under.store.inbox.counts()).total).toBe(3);
      const left = await under.database.read.selectFrom('inbox').select('text').execute();
      expect(left).toEqual([{ text: '' }]);
      expect(await accept(under.store)).toBe(4);
    });

    test('go in pieces, as many as it takes', async () => {
      const { store } = under;
      for (let index = 0; index < 450; index += 1)
        await store.arrivals.ignore(messageOf({ text: `${index}` }));
      await under.clock.advance(31 * DAY);
      await makeRuns().run();
      expect(await count('inbox')).toBe(1);
    });
  });

  test('turns and messages of the built-in room go', async () => {
    const author = { id: '7', name: 'Jane', isBot: false };
    const say = () =>
      under.store.roomMessages.add({
        roomId: roomId(1),
        author,
        html: '',
        plainText: '',
        createdAt: under.clock.now(),
      });
    await say();
    await book(1);
    await under.clock.advance(31 * DAY);
    await say();
    await book(1);
    await makeRuns().run();
    expect([await count('turns'), await count('room_messages')]).toEqual([1, 1]);
  });

  describe('replies', () => {
    test('go, but for the newest that was sent of each room and bot: there reading back begins', async () => {
      const { store, clock } = under;
      for (const text of ['1', '2', '3']) await send(1, text, 'sent');
      await send(1, 'refused', 'buried');
      await send(2, '4', 'sent');
      await clock.advance(31 * DAY);
      const runs = makeRuns();
      await runs.run();
      const left = await under.database.read
        .selectFrom('outbox')
        .select(['platform_id', 'markdown'])
        .execute();
      expect(left).toEqual([
        { platform_id: '3', markdown: '' },
        { platform_id: '4', markdown: '' },
      ]);
      expect(await store.outbox.sentIds(replyIn(1, ''))).toEqual({ ids: new Set(['3']), newest: '3' });

      await send(1, '5', 'sent');
      await clock.advance(31 * DAY);
      await runs.run();
      expect((await store.outbox.sentIds(replyIn(1, ''))).newest).toBe('5');
      expect(await count('outbox')).toBe(2);
    });

    test('that are owed stay, however old', async () => {
      await under.store.outbox.add([replyIn(1, 'owed')]);
      await under.clock.advance(400 * DAY);
      await makeRuns().run();
      expect((await under.store.outbox.counts()).owed).toBe(1);
    });

    test('that stay do not hide those behind them', async () => {
      for (let room = 1; room <= 210; room += 1) await send(room, `${room}`, 'sent');
      await under.clock.advance(1);
      await send(1, 'newest', 'sent');
      await under.clock.advance(31 * DAY);
      await makeRuns().run();
      expect(await count('outbox')).toBe(210);
    });
  });

  describe('what attempts took', () => {
    test('goes, but for that of a session that goes on: its limit counts it', async () => {
      const { clock } = under;
      await begin(1);
      await clock.advance(1);
      await book(1);
      await book(2);
      await clock.advance(31 * DAY);
      await makeRuns({ ttl: null }).run();
      const left = await under.database.read.selectFrom('ledger').select('conversation').execute();
      expect(left).toEqual([{ conversation: conversationIn(1) }]);
      await makeRuns({ ttl: DAY }).run();
      expect(await count('ledger')).toBe(0);
    });
  });

  describe('conversations', () => {
    test('go with transcript and workspace when they have expired for long enough, and no sooner', async () => {
      const { store, clock } = under;
      const old = await begin(1);
      await remember(1, old, 450);
      await clock.advance(31 * DAY);
      await makeRuns().run();
      expect(await store.sessions.current(conversationIn(1))).toMatchObject({ sessionId: old.sessionId });
      await clock.advance(1);
      await makeRuns().run();
      expect([await count('sessions'), await count('transcript_entries')]).toEqual([0, 0]);
      expect(workspaces).toEqual([conversationIn(1)]);
      expect((await leaseOf(store)).fence).toBeGreaterThan(2);
    });

    test('go while another goes on, and take nothing of that along', async () => {
      const { store, clock } = under;
      const [gone, stays] = [await begin(1), await begin(2)];
      for (const [index, record] of [gone, stays].entries()) await remember(index + 1, record, 3);
      await clock.advance(32 * DAY);
      await accept(store, { room: 2, text: 'waits' });
      await makeRuns({ ttl: (conversation) => (conversation === conversationIn(1) ? DAY : null) }).run();
      expect(await store.sessions.current(conversationIn(1))).toBeNull();
      expect(await store.sessions.current(conversationIn(2))).toMatchObject({ sessionId: stays.sessionId });
      expect(await store.transcripts.load(stays.sessionId, null)).toHaveLength(3);
      expect(await store.transcripts.load(stays.sessionId, 'subagents/1')).toHaveLength(1);
      expect(workspaces).toEqual([conversationIn(1)]);
    });

    test('without a time to live stay', async () => {
      await begin(1);
      await under.clock.advance(400 * DAY);
      await makeRuns({ ttl: null }).run();
      expect(await count('sessions')).toBe(1);
    });

    test('of which a session goes on keep their workspace and lose the old session only', async () => {
      const { store, clock } = under;
      const old = await begin(1);
      await remember(1, old, 3);
      await clock.advance(DAY);
      const current = await begin(1);
      await remember(1, current, 3);
      await clock.advance(30 * DAY + 1);
      await makeRuns().run();
      expect(await store.sessions.current(conversationIn(1))).toMatchObject({ sessionId: current.sessionId });
      expect(await store.transcripts.load(old.sessionId, null)).toBeNull();
      expect(await store.transcripts.load(current.sessionId, null)).toHaveLength(3);
      expect(workspaces).toEqual([]);
    });

    test('with a message that waits keep their workspace', async () => {
      await begin(1);
      await under.clock.advance(32 * DAY);
      await accept(under.store);
      await makeRuns().run();
      expect(await count('sessions')).toBe(0);
      expect(workspaces).toEqual([]);
    });

    test('that somebody holds are left for a later run', async () => {
      const { store, clock } = under;
      await begin(1);
      await clock.advance(32 * DAY);
      await leaseOf(store);
      await makeRuns().run();
      expect(await count('sessions')).toBe(1);
      await clock.advance(LEASE_MS);
      await makeRuns().run();
      expect(await count('sessions')).toBe(0);
    });

    test('whose workspace cannot be deleted stay until it can', async () => {
      await begin(1);
      await begin(2);
      await under.clock.advance(32 * DAY);
      let calls = 0;
      const deleteWorkspace = async () => {
        calls += 1;
        if (calls === 1) throw new Error('permission denied');
      };
      const runs = makeRuns({ deleteWorkspace });
      await runs.run();
      expect(await count('sessions')).toBe(1);
      await runs.run();
      expect(await count('sessions')).toBe(0);
    });

    test('that were forgotten leave no record either', async () => {
      const { store, clock } = under;
      await begin(1);
      const lease = await leaseOf(store);
      await store.sessions.forget(lease);
      await store.leases.release(lease);
      await clock.advance(30 * DAY);
      await makeRuns().run();
      expect(await count('sessions')).toBe(1);
      await clock.advance(1);
      await makeRuns().run();
      expect(await count('sessions')).toBe(0);
    });

    test('are taken a limited number at a time, and those that stay hide none', async () => {
      for (let room = 1; room <= 205; room += 1) await begin(room);
      await under.clock.advance(32 * DAY);
      const runs = makeRuns();
      await runs.run();
      expect(await count('sessions')).toBe(5);
      await runs.run();
      expect(await count('sessions')).toBe(0);
    });
  });

  describe('the runs', () => {
    test('come every five minutes until they are stopped, and count what they delete', async () => {
      metrics.retentionDeleted.reset();
      for (const text of ['a', 'b']) await accept(under.store, { text });
      for (let turn = 0; turn < 2; turn += 1) await runOneTurn(under.store);
      await under.clock.advance(31 * DAY);
      const runs = makeRuns();
      runs.start();
      await under.clock.advance(PERIOD - 1);
      expect(await count('inbox')).toBe(2);
      await under.clock.advance(1);
      await runs.stop();
      expect(await count('inbox')).toBe(1);
      const { values } = await metrics.retentionDeleted.get();
      expect(values).toContainEqual({ labels: { kind: 'message' }, value: 1 });
      expect(under.clock.pending()).toBe(0);
    });

    test('end soon when they are stopped', async () => {
      for (let room = 1; room <= 50; room += 1) await begin(room);
      await under.clock.advance(32 * DAY);
      const runs = makeRuns();
      await Promise.all([runs.run(), runs.stop()]);
      expect(await count('sessions')).toBeGreaterThan(45);
    });
  });

  test('a session that was never settled goes like any other', async () => {
    await begin(1, { state: 'provisional', sessionId: newSessionId() });
    await under.clock.advance(32 * DAY);
    await makeRuns().run();
    expect(await count('sessions')).toBe(0);
  });

  test('transcripts of versions that are far back go with the events of their updates', async () => {
    const { store, clock } = under;
    await makeProject(store);
    const sessions = [];
    for (let made = 0; made < 22; made += 1) {
      await enqueue(store);
      sessions.push((await completeOne(store)).session);
    }
    await clock.advance(31 * DAY);
    metrics.retentionDeleted.reset();
    await makeRuns().run();
    const states = sessions.map((id) => store.projects.records.session(projectId('shop'), id));
    const left = (await Promise.all(states)).map((session) => session?.state);
    expect(left.slice(0, 3)).toEqual(['deleted', 'deleted', 'superseded']);
    const { values } = await metrics.retentionDeleted.get();
    expect(values).toContainEqual({ labels: { kind: 'project_session' }, value: 2 });
    expect(values).toContainEqual({ labels: { kind: 'update_event' }, value: 22 });
  });
}
