import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newEntryId } from '../../src/base/ids.ts';
import { accept, conversationIn, leaseOf, messageOf } from './rows.ts';
import type { MakeStoreUnderTest, StoreUnderTest } from './store-under-test.ts';

export function overflowContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(() => under.close());

  let nextId = 0;
  function send(facts: { mostWaiting: number | null; room?: number; id?: string; notice?: string | null }) {
    const { mostWaiting, room = 1, notice = 'too much' } = facts;
    nextId += 1;
    const message = messageOf({ room, messageId: facts.id ?? String(nextId) });
    const noticedSince = under.clock.now() - 60_000;
    return under.store.overflow.acceptUnlessFull(message, { mostWaiting, notice, noticedSince });
  }
  async function owed(): Promise<readonly string[]> {
    const rows = await under.database.read
      .selectFrom('outbox')
      .select(['room_id', 'kind', 'markdown', 'state'])
      .orderBy('id')
      .execute();
    return rows.map((row) => Object.values(row).join(' '));
  }

  describe('a message for which there may be no place', () => {
    test('waits while fewer than so many of its conversation do, however many come at once', async () => {
      const outcomes = await Promise.all(Array.from({ length: 9 }, () => send({ mostWaiting: 5 })));
      expect(outcomes.filter(({ kind }) => kind === 'accepted')).toHaveLength(5);
      expect(outcomes.filter(({ kind }) => kind === 'overloaded')).toHaveLength(4);
      expect(await send({ mostWaiting: 5, room: 2 })).toMatchObject({ kind: 'accepted' });
      expect(await send({ mostWaiting: null })).toMatchObject({ kind: 'accepted' });
      expect(await under.store.inbox.waitingIn(conversationIn(1))).toBe(6);
      expect(await under.store.inbox.newestWaiting(conversationIn(2))).toMatchObject({ roomId: '2' });
      expect(await under.store.inbox.newestWaiting(conversationIn(3))).toBeNull();
    });

    test('does not count the one that runs', async () => {
      await accept(under.store);
      await under.store.inbox.claim(await leaseOf(under.store), 'one', newEntryId());
      expect(await send({ mostWaiting: 1 })).toMatchObject({ kind: 'accepted' });
      expect(await send({ mostWaiting: 1 })).toMatchObject({ kind: 'overloaded' });
    });

    test('has ended when there is none, and never waits for a turn', async () => {
      expect(await send({ mostWaiting: 0 })).toMatchObject({ kind: 'overloaded', idReused: false });
      expect(await under.store.inbox.peek(conversationIn(1))).toBeNull();
      expect(await under.store.inbox.counts()).toMatchObject({ total: 1, waiting: 0, running: 0 });
    });

    test('is stored once, overloaded or not', async () => {
      await send({ mostWaiting: 0, id: 'a' });
      expect(await send({ mostWaiting: 0, id: 'a' })).toEqual({ kind: 'duplicate' });
      expect(await send({ mostWaiting: null, id: 'a' })).toEqual({ kind: 'duplicate' });
      expect(await owed()).toHaveLength(1);
    });

    test('has its room told, once a minute', async () => {
      await Promise.all(Array.from({ length: 5 }, () => send({ mostWaiting: 0 })));
      await send({ mostWaiting: 0, room: 2 });
      expect(await owed()).toEqual(['1 overloaded too much owed', '2 overloaded too much owed']);
      await under.clock.advance(60_000);
      await send({ mostWaiting: 0 });
      expect(await owed()).toHaveLength(3);
    });

    test('has nobody told where nobody is to be', async () => {
      await send({ mostWaiting: 0, notice: null });
      expect(await owed()).toEqual([]);
    });
  });
}
