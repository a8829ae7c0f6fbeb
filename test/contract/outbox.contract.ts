import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { laneOf, type OutboxRow } from '../../src/outbox/outbox.ts';
import { replyIn } from './rows.ts';
import type { MakeStoreUnderTest, StoreUnderTest } from './store-under-test.ts';

const NOBODY: ReadonlySet<string> = new Set();

export function outboxContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(() => under.close());

  async function claimTexts(busy = NOBODY, limit = 10): Promise<readonly string[]> {
    const rows = await under.store.outbox.claim(under.clock.now(), busy, limit);
    return rows.map((row) => row.markdown);
  }

  async function claimOne(): Promise<OutboxRow> {
    const [row] = await under.store.outbox.claim(under.clock.now(), NOBODY, 1);
    if (row === undefined) throw new Error('nothing is due');
    return row;
  }

  describe('claim', () => {
    test('gives the oldest reply of each lane, with its attempt counted and its time written', async () => {
      const { store, clock } = under;
      await store.outbox.add([replyIn(1, 'a'), replyIn(1, 'b'), replyIn(2, 'c')]);
      const rows = await store.outbox.claim(clock.now(), NOBODY, 10);
      expect(rows).toMatchObject([
        { ...replyIn(1, 'a'), state: 'sending', attempts: 1, sendingAt: clock.now(), mayBeDouble: false },
        { ...replyIn(2, 'c'), state: 'sending', attempts: 1, createdAt: clock.now(), platformId: null },
      ]);
    });

    test('replies of a lane go out in order, one after the other', async () => {
      await under.store.outbox.add(['a', 'b', 'c'].map((text) => replyIn(1, text)));
      for (const text of ['a', 'b', 'c']) {
        const row = await claimOne();
        expect(row.markdown).toBe(text);
        expect(await claimTexts(new Set([laneOf(row)]))).toEqual([]);
        await under.store.outbox.finish(row.id, { kind: 'sent', platformId: text });
      }
      expect(await claimTexts()).toEqual([]);
    });

    test('busy lanes are skipped and take no other lane its place', async () => {
      await under.store.outbox.add([1, 2, 3].map((room) => replyIn(room, `room ${room}`)));
      const busy = new Set([laneOf(replyIn(1, '')), laneOf(replyIn(2, ''))]);
      expect(await claimTexts(busy, 1)).toEqual(['room 3']);
    });

    test('nothing overtakes a reply that backs off or whose outcome is unknown', async () => {
      const { store, clock } = under;
      await store.outbox.add([replyIn(1, 'a'), replyIn(1, 'b')]);
      const row = await claimOne();
      await store.outbox.finish(row.id, { kind: 'owed', notBefore: clock.now() + 999.5, reason: 'HTTP 503' });
      expect(await claimTexts()).toEqual([]);
      await clock.advance(1_000);
      expect(await claimOne()).toMatchObject({ id: row.id, state: 'sending', attempts: 2 });
      await store.outbox.finish(row.id, { kind: 'unknown', notBefore: clock.now() + 1_000, reason: 'reset' });
      expect(await claimTexts()).toEqual([]);
      await clock.advance(1_000);
      expect(await claimOne()).toMatchObject({ id: row.id, state: 'unknown', attempts: 2 });
    });

    test('a reply left sending by a dead process comes back as unknown, not counted again', async () => {
      await under.store.outbox.add([replyIn(1, 'a')]);
      const sent = await claimOne();
      await under.clock.advance(5_000);
      expect(await claimOne()).toMatchObject({ state: 'unknown', attempts: 1, sendingAt: sent.sendingAt });
    });

    test('a reply that may be double stays marked', async () => {
      await under.store.outbox.add([replyIn(1, 'a')]);
      const { id } = await claimOne();
      await under.store.outbox.finish(id, {
        kind: 'owed',
        notBefore: 0,
        reason: 'unread',
        mayBeDouble: true,
      });
      expect(await claimOne()).toMatchObject({ mayBeDouble: true });
      await under.store.outbox.finish(id, { kind: 'owed', notBefore: 0, reason: 'HTTP 503' });
      expect(await claimOne()).toMatchObject({ mayBeDouble: true });
    });
  });

  describe('finish', () => {
    test('a terminal reply never changes again', async () => {
      await under.store.outbox.add([replyIn(1, 'a'), replyIn(1, 'b')]);
      const first = await claimOne();
      await under.store.outbox.finish(first.id, { kind: 'sent', platformId: '9' });
      const second = await claimOne();
      await under.store.outbox.finish(second.id, { kind: 'buried', reason: 'room_gone' });
      for (const { id } of [first, second]) {
        await expect(
          under.store.outbox.finish(id, { kind: 'owed', notBefore: 0, reason: 'again' }),
        ).rejects.toThrow();
      }
      expect(await claimTexts()).toEqual([]);
    });

    test('sentIds knows what this lane has sent, and the newest of it', async () => {
      const { store } = under;
      expect(await store.outbox.sentIds(replyIn(1, ''))).toEqual({ ids: new Set(), newest: null });
      for (const [room, platformId] of [
        [1, '10'],
        [1, '11'],
        [2, '12'],
        [1, null],
      ] as const) {
        await store.outbox.add([replyIn(room, 'x')]);
        await store.outbox.finish((await claimOne()).id, { kind: 'sent', platformId });
      }
      expect(await store.outbox.sentIds(replyIn(1, ''))).toEqual({
        ids: new Set(['10', '11']),
        newest: '11',
      });
    });
  });

  test('counts follow the states', async () => {
    const { store, clock } = under;
    expect(await store.outbox.counts()).toEqual({ owed: 0, unknown: 0, buried: 0, oldestOwedAt: null });
    const oldest = clock.now();
    await store.outbox.add([1, 2, 3].map((room) => replyIn(room, 'x')));
    await clock.advance(1_000);
    await store.outbox.add([replyIn(4, 'x')]);
    const [first, second, third] = await store.outbox.claim(clock.now(), NOBODY, 3);
    await store.outbox.finish(first!.id, { kind: 'buried', reason: 'key_refused' });
    await store.outbox.finish(second!.id, { kind: 'unknown', notBefore: 0, reason: 'timeout' });
    await store.outbox.finish(third!.id, { kind: 'sent', platformId: '1' });
    expect(await store.outbox.counts()).toEqual({ owed: 1, unknown: 1, buried: 1, oldestOwedAt: oldest });
  });
}
