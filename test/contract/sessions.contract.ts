import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LeaseLost } from '../../src/base/errors.ts';
import { newEntryId, newSessionId } from '../../src/base/ids.ts';
import type { ConversationKey, Lease } from '../../src/base/terms.ts';
import { accept, conversationIn, leaseOf, recordOf, replyIn, runOneTurn } from './rows.ts';
import type { MakeStoreUnderTest, StoreUnderTest } from './store-under-test.ts';

export function sessionsContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(() => under.close());

  function settle(lease: Lease, sessionId = newSessionId(), at = 5_000) {
    const settled = { sessionId, settledEntry: newEntryId(), tier: 'warm', start: 'resumed', at } as const;
    return under.store.turns
      .transaction(lease, (tx) => tx.sessions.settle({ ...settled, costUsd: 0.25 }))
      .then(() => settled);
  }

  /** What is still to be read of a conversation, from whom and to whom ever. */
  async function textsIn(conversation: ConversationKey): Promise<readonly string[]> {
    const { read } = under.database;
    const said = await read
      .selectFrom('inbox')
      .select('text')
      .where('conversation', '=', conversation)
      .execute();
    const replied = await read
      .selectFrom('outbox')
      .select('markdown as text')
      .where('conversation', '=', conversation)
      .execute();
    return [...said, ...replied]
      .map((row) => row.text)
      .filter((text) => text !== '')
      .sort();
  }

  describe('records', () => {
    test('a record comes back as it was begun', async () => {
      const lease = await leaseOf(under.store);
      expect(await under.store.sessions.current(lease.conversation)).toBeNull();
      const record = recordOf(1, { costUsd: 1.5 });
      await under.store.sessions.begin(lease, record, null);
      expect(await under.store.sessions.current(lease.conversation)).toEqual(record);
    });

    test('a settled turn makes it active, with the id that the process now has', async () => {
      const lease = await leaseOf(under.store);
      const record = recordOf(1, { costUsd: 1.5 });
      await under.store.sessions.begin(lease, record, null);
      const settled = await settle(lease);
      expect(await under.store.sessions.current(lease.conversation)).toEqual({
        ...record,
        sessionId: settled.sessionId,
        state: 'active',
        settledEntry: settled.settledEntry,
        lastUsedAt: 5_000,
        turnCount: 1,
        costUsd: 1.75,
        lastTier: 'warm',
        lastStart: 'resumed',
      });
    });

    test('a conversation has one current record: a new one needs the end of the former', async () => {
      const { sessions } = under.store;
      const lease = await leaseOf(under.store);
      await sessions.begin(lease, recordOf(1), null);
      await expect(sessions.begin(lease, recordOf(1), null)).rejects.toThrow();
      const next = recordOf(1);
      await sessions.begin(lease, next, 'expired');
      expect((await sessions.current(lease.conversation))?.sessionId).toBe(next.sessionId);
    });

    test('an ended record is current no more, and the end of another one changes nothing', async () => {
      const { sessions } = under.store;
      const lease = await leaseOf(under.store);
      const record = recordOf(1);
      await sessions.begin(lease, record, null);
      await sessions.end(lease, newSessionId(), 'lost');
      expect(await sessions.current(lease.conversation)).toEqual(record);
      await sessions.end(lease, record.sessionId, 'lost');
      expect(await sessions.current(lease.conversation)).toBeNull();
      await expect(settle(lease)).rejects.toThrow();
    });

    test('the list is of current records, newest use first', async () => {
      const { store } = under;
      for (const room of [1, 2, 3]) {
        const lease = await leaseOf(store, room);
        await store.sessions.begin(lease, recordOf(room, { lastUsedAt: room }), null);
      }
      const lease = await store.leases.seize(conversationIn(1));
      await settle(lease);
      const last = await store.leases.seize(conversationIn(3));
      const third = await store.sessions.current(conversationIn(3));
      await store.sessions.end(last, third!.sessionId, 'expired');
      const rooms = (await store.sessions.list(10)).map((record) => record.conversation);
      expect(rooms).toEqual([conversationIn(1), conversationIn(2)]);
      expect(await store.sessions.list(1)).toHaveLength(1);
    });

    test('a stale lease writes no record', async () => {
      const { sessions, leases } = under.store;
      const stale = await leaseOf(under.store);
      const record = recordOf(1);
      await sessions.begin(stale, record, null);
      await leases.seize(stale.conversation);
      await expect(sessions.begin(stale, recordOf(1), 'lost')).rejects.toThrow(LeaseLost);
      await expect(sessions.end(stale, record.sessionId, 'lost')).rejects.toThrow(LeaseLost);
      await expect(sessions.forget(stale)).rejects.toThrow(LeaseLost);
      expect(await sessions.current(stale.conversation)).toEqual(record);
    });
  });

  test('the former end of a conversation is that of its last session of which a turn had settled', async () => {
    const { sessions, leases } = under.store;
    const lease = await leaseOf(under.store);
    const [first, second] = [recordOf(1), recordOf(1)];
    expect(await sessions.formerEnd(conversationIn(1))).toBeNull();
    await sessions.begin(lease, { ...first, turnCount: 3 }, null);
    expect(await sessions.formerEnd(conversationIn(1))).toBeNull();
    await sessions.begin(lease, second, 'quarantined');
    expect(await sessions.formerEnd(conversationIn(1))).toBe('quarantined');
    await sessions.end(lease, second.sessionId, 'lost');
    expect(await sessions.formerEnd(conversationIn(1))).toBe('quarantined');
    expect(await sessions.formerEnd(conversationIn(2))).toBeNull();
    await sessions.forget(await leases.seize(conversationIn(1)));
    expect(await sessions.formerEnd(conversationIn(1))).toBe('forgotten');
  });

  describe('forget', () => {
    test('nothing that was said stays, of any of its sessions, and nobody else is touched', async () => {
      const { store } = under;
      for (const room of [1, 2]) {
        await accept(store, { room, text: `asked in ${room}` });
        await runOneTurn(store, room);
        await accept(store, { room, text: `waiting in ${room}` });
        const lease = await leaseOf(store, room);
        const [former, current] = [recordOf(room), recordOf(room)];
        await store.sessions.begin(lease, former, null);
        await store.transcripts.append(lease, former.sessionId, null, [{ type: 'user', uuid: 'a' }]);
        await store.transcripts.append(lease, former.sessionId, 'agents/x', [{ type: 'user', uuid: 'b' }]);
        await store.sessions.begin(lease, current, 'expired');
        await store.transcripts.append(lease, current.sessionId, null, [{ type: 'user', uuid: 'c' }]);
        await store.leases.release(lease);
        if (room === 1) {
          expect(await store.sessions.forget(await store.leases.seize(conversationIn(1)))).toBe(1);
          for (const { sessionId } of [former, current]) {
            expect(await store.transcripts.load(sessionId, null)).toBeNull();
            expect(await store.transcripts.subpaths(sessionId)).toEqual([]);
          }
        } else {
          expect(await store.transcripts.load(current.sessionId, null)).toHaveLength(1);
        }
      }
      expect(await store.sessions.current(conversationIn(1))).toBeNull();
      expect(await textsIn(conversationIn(1))).toEqual([]);
      expect(await textsIn(conversationIn(2))).toEqual(['asked in 2', 'waiting in 2']);
      expect(await store.inbox.peek(conversationIn(1))).toBeNull();
      expect(await store.inbox.peek(conversationIn(2))).toMatchObject({ text: 'waiting in 2' });
      expect((await store.inbox.counts()).waiting).toBe(1);
    });

    test('what was said in another conversation stays, sent, owed and waiting', async () => {
      const { store, clock } = under;
      const records = [1, 2].map((room) => recordOf(room));
      for (const [index, room] of [1, 2].entries()) {
        await accept(store, { room, text: `asked in ${room}` });
        await runOneTurn(store, room);
        await accept(store, { room, text: `waiting in ${room}` });
        await store.outbox.add([replyIn(room, `sent in ${room}`)]);
        const lease = await leaseOf(store, room);
        const record = records[index]!;
        await store.sessions.begin(lease, record, null);
        await store.transcripts.append(lease, record.sessionId, null, [{ type: 'user', uuid: `${room}` }]);
        await store.leases.release(lease);
      }
      for (const { id } of await store.outbox.claim(clock.now(), new Set(), 2))
        await store.outbox.finish(id, { kind: 'sent', platformId: `${id}` });
      await store.outbox.add([replyIn(2, 'owed in 2')]);

      await store.sessions.forget(await store.leases.seize(conversationIn(1)));
      const [owed] = await store.outbox.claim(clock.now(), new Set(), 1);
      await store.outbox.finish(owed!.id, { kind: 'sent', platformId: 'last' });
      expect(await textsIn(conversationIn(1))).toEqual([]);
      expect(await textsIn(conversationIn(2))).toEqual([
        'asked in 2',
        'owed in 2',
        'sent in 2',
        'waiting in 2',
      ]);
      expect(await store.sessions.current(conversationIn(2))).toMatchObject({ state: 'provisional' });
      expect(await store.transcripts.load(records[1]!.sessionId, null)).toHaveLength(1);
    });

    test('a reply that is still owed goes out with its text, which goes when it is sent', async () => {
      const { store, clock } = under;
      await store.outbox.add([replyIn(1, 'sent before'), replyIn(1, 'still owed')]);
      const [first] = await store.outbox.claim(clock.now(), new Set(), 1);
      await store.outbox.finish(first!.id, { kind: 'sent', platformId: '1' });
      await store.sessions.forget(await store.leases.seize(conversationIn(1)));
      const [second] = await store.outbox.claim(clock.now(), new Set(), 1);
      expect(second?.markdown).toBe('still owed');
      await store.outbox.finish(second!.id, { kind: 'sent', platformId: '2' });
      expect(await textsIn(conversationIn(1))).toEqual([]);
    });

    test('a message accepted again after it was forgotten is still a duplicate', async () => {
      const { store } = under;
      await accept(store, { messageId: '41' });
      await store.sessions.forget(await store.leases.seize(conversationIn(1)));
      await expect(accept(store, { messageId: '41' })).rejects.toThrow('a duplicate');
    });

    test('the running turn of a forgotten conversation settles nothing', async () => {
      const { store } = under;
      const id = await accept(store);
      const running = await leaseOf(store);
      await store.sessions.begin(running, recordOf(1), null);
      await store.inbox.claim(running, 'one', newEntryId());
      await store.sessions.forget(await store.leases.seize(running.conversation));
      const late = store.turns.transaction(running, (tx) => tx.inbox.settle([id], 'answered'));
      await expect(late).rejects.toThrow(LeaseLost);
      await expect(
        store.transcripts.append(running, newSessionId(), null, [{ type: 'user' }]),
      ).rejects.toThrow(LeaseLost);
    });

    test('conversationsOf names what can be forgotten, and it no more once it is', async () => {
      const { store } = under;
      for (const room of [1, 2]) {
        const lease = await leaseOf(store, room);
        const record = recordOf(room);
        await store.sessions.begin(lease, record, null);
        await store.sessions.end(lease, record.sessionId, 'expired');
      }
      await accept(store, { room: 3 });
      expect([...(await store.sessions.conversationsOf(null))].sort()).toEqual([1, 2, 3].map(conversationIn));
      expect(await store.sessions.conversationsOf('2')).toEqual([conversationIn(2)]);
      expect(await store.sessions.conversationsOf('3')).toEqual([conversationIn(3)]);
      await store.sessions.forget(await store.leases.seize(conversationIn(2)));
      expect(await store.sessions.conversationsOf('2')).toEqual([]);
      expect(await store.sessions.conversationsOf(null)).toHaveLength(2);
    });
  });
}
