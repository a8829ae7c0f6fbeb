import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newEntryId } from '../../src/base/ids.ts';
import type { EntryId, InboxId, Lease, OutboxId, SessionId } from '../../src/base/terms.ts';
import type { InboxState } from '../../src/inbox/inbox.ts';
import type { OutboxState } from '../../src/outbox/outbox.ts';
import {
  accept,
  conversationIn,
  leaseOf,
  ledgerOf,
  messageOf,
  recordOf,
  replyIn,
  runOneTurn,
  USAGE,
} from './rows.ts';
import type { MakeStoreUnderTest, StoreUnderTest } from './store-under-test.ts';

export function viewsContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(() => under.close());

  describe('sessions', () => {
    async function begin(room: number, lastUsedAt: number): Promise<SessionId> {
      const record = recordOf(room, { lastUsedAt });
      const lease = await leaseOf(under.store, room);
      await under.store.sessions.begin(lease, record, null);
      await under.store.leases.release(lease);
      return record.sessionId;
    }

    test('pages hold every current session once, newest use first, equal times too', async () => {
      const times = [5_000, 1_000, 3_000, 3_000, 3_000, 2_000];
      for (const [room, at] of times.entries()) await begin(room, at);
      const seen = [];
      for (let before = null; ; ) {
        const page = await under.store.views.sessions.current(before, 2);
        seen.push(...page);
        before = page.at(-1) ?? null;
        if (before === null) break;
      }
      expect(seen.map(({ lastUsedAt }) => lastUsedAt)).toEqual([5_000, 3_000, 3_000, 3_000, 2_000, 1_000]);
      expect(new Set(seen.map(({ sessionId }) => sessionId)).size).toBe(times.length);
      expect(await under.store.views.sessions.count()).toBe(times.length);
    });

    test('the latest record is shown after it has ended, and a current one only in pages', async () => {
      const { sessions, views } = under.store;
      const first = await begin(1, 1_000);
      const lease = await leaseOf(under.store);
      await sessions.end(lease, first, 'lost');
      expect(await views.sessions.latest(lease.conversation)).toMatchObject({
        sessionId: first,
        state: 'lost',
      });
      expect(await views.sessions.current(null, 10)).toEqual([]);
      expect(await views.sessions.count()).toBe(0);

      const second = recordOf(1, { createdAt: 2_000 });
      await sessions.begin(lease, second, null);
      expect(await views.sessions.latest(lease.conversation)).toEqual(second);
      expect(await views.sessions.latest(conversationIn(2))).toBeNull();
    });

    test('a conversation is known by a session or by a message', async () => {
      const { sessions } = under.store.views;
      const sessionId = await begin(1, 1_000);
      expect(await sessions.isKnownSession(sessionId)).toBe(true);
      expect(await sessions.isKnownSession(recordOf(1).sessionId)).toBe(false);
      await accept(under.store, { room: 2 });
      const known = await Promise.all([1, 2, 3].map((room) => sessions.isKnown(conversationIn(room))));
      expect(known).toEqual([true, true, false]);
    });

    test('what a conversation spent is summed over all its attempts', async () => {
      const lease = await leaseOf(under.store);
      await under.store.turns.transaction(lease, async (tx) => {
        await tx.ledger.add(ledgerOf(1));
        await tx.ledger.add(ledgerOf(1));
        await tx.ledger.add(ledgerOf(2));
      });
      expect(await under.store.views.sessions.spent(lease.conversation)).toEqual({
        attempts: 2,
        costUsd: 2 * USAGE.costUsd,
        inputTokens: 20,
        outputTokens: 40,
        cacheReadTokens: 60,
        cacheWriteTokens: 80,
      });
      expect(await under.store.views.sessions.spent(conversationIn(3))).toMatchObject({
        attempts: 0,
        costUsd: 0,
      });
    });
  });

  describe('transcripts', () => {
    let lease: Lease;
    let sessionId: SessionId;
    beforeEach(async () => {
      lease = await leaseOf(under.store);
      ({ sessionId } = recordOf(1));
    });

    const read = (after: number | null, entries: number, bytes = 1_000_000, subpath: string | null = null) =>
      under.store.views.sessions.transcript(sessionId, subpath, after, { entries, bytes });
    const append = (texts: readonly string[], subpath: string | null = null) =>
      under.store.transcripts.append(
        lease,
        sessionId,
        subpath,
        texts.map((text) => ({ type: 'user', uuid: newEntryId(), text })),
      );
    const textsOf = (entries: readonly string[]) => entries.map((entry) => JSON.parse(entry).text);

    test('come page by page, in order, as they were stored', async () => {
      await append(['a', 'ü', 'c']);
      await append(['elsewhere'], 'subagents/agent-1');
      const first = await read(null, 2);
      expect(textsOf(first.entries)).toEqual(['a', 'ü']);
      expect(first.next).not.toBeNull();
      const second = await read(first.next, 2);
      expect([textsOf(second.entries), second.next]).toEqual([['c'], null]);
      expect(textsOf((await read(null, 2, 1_000_000, 'subagents/agent-1')).entries)).toEqual(['elsewhere']);
      expect(await read(2, 2)).toEqual({ entries: [], next: null });
    });

    test('are those of one session and of no other', async () => {
      await append(['mine']);
      const other = recordOf(2).sessionId;
      const theirs = await leaseOf(under.store, 2);
      const said = ['theirs', 'theirs too'].map((text) => ({ type: 'user', uuid: newEntryId(), text }));
      await under.store.transcripts.append(theirs, other, null, said);
      expect(await read(null, 10)).toMatchObject({ entries: [expect.stringContaining('mine')], next: null });
    });

    test('a page ends before it is too large, and holds one entry whatever its size', async () => {
      await append(['x'.repeat(900), 'é'.repeat(500), 'small', 'small']);
      const first = await read(null, 100, 1_200);
      expect(textsOf(first.entries)).toEqual(['x'.repeat(900)]);
      const second = await read(first.next, 100, 100);
      expect(textsOf(second.entries)).toEqual(['é'.repeat(500)]);
      expect((await read(second.next, 100, 1_200)).entries).toHaveLength(2);
    });
  });

  describe('messages', () => {
    const list = (states: readonly InboxState[], more: { before?: InboxId; limit?: number } = {}) =>
      under.store.views.inbox.list({
        states,
        conversation: null,
        before: null,
        limit: 10,
        withText: false,
        ...more,
      });

    async function bury(room: number): Promise<InboxId> {
      const id = await accept(under.store, { room, messageId: `m${room}`, text: `dead ${room}` });
      const lease = await leaseOf(under.store, room);
      await under.store.inbox.claim(lease, 'one', newEntryId());
      await under.store.turns.transaction(lease, (tx) => tx.inbox.bury([id], 'attempts'));
      await under.store.leases.release(lease);
      return id;
    }

    test('are listed by state, newest first, page by page', async () => {
      const dead = [await bury(1), await bury(2)];
      await accept(under.store, { room: 3 });
      await runOneTurn(under.store, 3);
      const running = await accept(under.store, { room: 4 });
      await under.store.inbox.claim(await leaseOf(under.store, 4), 'one', newEntryId());
      const waiting = await accept(under.store, { room: 5 });

      const ids = async (...asked: Parameters<typeof list>) => (await list(...asked)).map(({ id }) => id);
      expect(await ids(['waiting', 'running', 'buried'])).toEqual([waiting, running, dead[1], dead[0]]);
      expect(await ids(['buried'], { limit: 1 })).toEqual([dead[1]]);
      expect(await ids(['buried'], { before: dead[1]! })).toEqual([dead[0]]);
      expect(await list(['settled'])).toMatchObject([{ outcome: 'answered', attempts: 1 }]);
      expect(await ids(['ignored'])).toEqual([]);
    });

    test('are listed of one conversation, and with their text only when asked', async () => {
      await bury(1);
      await bury(2);
      const one = { states: ['buried'], conversation: conversationIn(1), before: null, limit: 10 } as const;
      expect(await under.store.views.inbox.list({ ...one, withText: false })).toMatchObject([
        { text: null, messageId: 'm1', outcome: 'attempts', replayOf: null, notBefore: null },
      ]);
      expect(await under.store.views.inbox.list({ ...one, withText: true })).toMatchObject([
        { text: 'dead 1' },
      ]);
    });

    test('a dead one runs again as a copy that waits like any other', async () => {
      const id = await bury(1);
      const outcome = await under.store.views.inbox.replay(id, 9_000);
      expect(outcome).toMatchObject({
        kind: 'replayed',
        message: { state: 'waiting', attempts: 0, acceptedAt: 9_000, replayOf: id, messageId: 'm1' },
      });
      expect(await list(['buried'])).toMatchObject([{ id, state: 'buried' }]);
      expect(await runOneTurn(under.store)).toEqual(['dead 1']);
    });

    test('the webhook of a replayed one is still a duplicate', async () => {
      const id = await bury(1);
      await under.store.views.inbox.replay(id, 9_000);
      const again = messageOf({ messageId: 'm1', text: 'dead 1' });
      expect(await under.store.inbox.accept(again)).toEqual({ kind: 'duplicate' });
    });

    test('each is replayed at most once, its copy too', async () => {
      const id = await bury(1);
      const both = await Promise.all([9_000, 9_001].map((at) => under.store.views.inbox.replay(id, at)));
      const copy = both[0]?.kind === 'replayed' ? both[0].message.id : null;
      expect(both[1]).toEqual({ kind: 'replayed-before', id: copy });

      const lease = await leaseOf(under.store);
      await under.store.inbox.claim(lease, 'one', newEntryId());
      await under.store.turns.transaction(lease, (tx) => tx.inbox.bury([copy!], 'attempts'));
      expect(await under.store.views.inbox.replay(copy!, 9_002)).toMatchObject({
        kind: 'replayed',
        message: { replayOf: copy, messageId: 'm1' },
      });
    });

    test('one without an id of its chat is replayed at most once too', async () => {
      const id = await accept(under.store);
      const lease = await leaseOf(under.store);
      await under.store.inbox.claim(lease, 'one', newEntryId());
      await under.store.turns.transaction(lease, (tx) => tx.inbox.bury([id], 'too_old'));
      const kinds = [];
      for (const at of [1, 2]) kinds.push((await under.store.views.inbox.replay(id, at)).kind);
      expect(kinds).toEqual(['replayed', 'replayed-before']);
    });

    test('what is not dead, not there or forgotten cannot be replayed', async () => {
      const { inbox } = under.store.views;
      const waiting = await accept(under.store, { room: 2 });
      expect(await inbox.replay(waiting, 1)).toEqual({ kind: 'not-buried' });
      expect(await inbox.replay(999 as InboxId, 1)).toEqual({ kind: 'unknown' });
      const dead = await bury(1);
      const lease = await leaseOf(under.store);
      await under.store.sessions.begin(lease, recordOf(1, { settledEntry: newEntryId() as EntryId }), null);
      await under.store.sessions.forget(lease);
      expect(await inbox.replay(dead, 1)).toEqual({ kind: 'forgotten' });
    });
  });

  describe('replies', () => {
    /** A reply that is dead. */
    async function bury(
      room: number,
      reason: 'key_refused' | 'room_gone' = 'key_refused',
    ): Promise<OutboxId> {
      const { outbox } = under.store;
      await outbox.add([replyIn(room, `dead ${room}`)]);
      const [row] = await outbox.claim(Number.MAX_SAFE_INTEGER, new Set(), 1);
      await outbox.finish(row!.id, { kind: 'buried', reason });
      return row!.id;
    }
    const list = (states: readonly OutboxState[], more: { limit?: number; withText?: boolean } = {}) => {
      const { limit = 10, withText = false } = more;
      return under.store.views.outbox.list({ states, conversation: null, before: null, limit, withText });
    };

    test('are listed by state, newest first, dead ones with their reasons', async () => {
      const dead = [await bury(1, 'key_refused'), await bury(2, 'room_gone')];
      await under.store.outbox.add([replyIn(3, 'owed')]);
      expect(await list(['buried'])).toMatchObject([
        { id: dead[1], reason: 'room_gone', markdown: null, attempts: 1, replayOf: null },
        { id: dead[0], reason: 'key_refused' },
      ]);
      expect(await list(['buried'], { limit: 1, withText: true })).toMatchObject([{ markdown: 'dead 2' }]);
      expect(
        (await list(['owed', 'sending', 'unknown', 'sent', 'buried'])).map(({ state }) => state),
      ).toEqual(['owed', 'buried', 'buried']);
      const one = { states: ['buried'] as const, before: dead[1]!, limit: 10, withText: false };
      expect(await under.store.views.outbox.list({ ...one, conversation: conversationIn(1) })).toHaveLength(
        1,
      );
      expect(await under.store.views.outbox.list({ ...one, conversation: conversationIn(2) })).toEqual([]);
    });

    test('a dead one is owed again as a copy, once, behind what its room is owed', async () => {
      const id = await bury(1);
      await under.store.outbox.add([replyIn(1, 'said since')]);
      const both = await Promise.all([9_000, 9_001].map((at) => under.store.views.outbox.replay(id, at)));
      expect(both[0]).toMatchObject({
        kind: 'replayed',
        reply: { state: 'owed', attempts: 0, createdAt: 9_000, replayOf: id, kind: 'reply' },
      });
      const copy = both[0]?.kind === 'replayed' ? both[0].reply.id : null;
      expect(both[1]).toEqual({ kind: 'replayed-before', id: copy });
      const [first] = await under.store.outbox.claim(Number.MAX_SAFE_INTEGER, new Set(), 10);
      expect(first?.markdown).toBe('said since');
      await under.store.outbox.finish(first!.id, { kind: 'sent', platformId: '1' });
      const [second] = await under.store.outbox.claim(Number.MAX_SAFE_INTEGER, new Set(), 10);
      expect(second).toMatchObject({ id: copy, markdown: 'dead 1' });
      expect(await list(['buried'])).toMatchObject([{ id }]);
    });

    test('what is not dead, not there or forgotten cannot be replayed', async () => {
      const { outbox } = under.store.views;
      expect(await outbox.replay(999 as OutboxId, 1)).toEqual({ kind: 'unknown' });
      const dead = await bury(1);
      await under.store.outbox.add([replyIn(2, 'owed')]);
      const [owed] = await list(['owed']);
      expect(await outbox.replay(owed!.id, 1)).toEqual({ kind: 'not-buried' });
      const lease = await leaseOf(under.store);
      await under.store.sessions.begin(lease, recordOf(1, { settledEntry: newEntryId() as EntryId }), null);
      await under.store.sessions.forget(lease);
      expect(await outbox.replay(dead, 1)).toEqual({ kind: 'forgotten' });
    });
  });
}
