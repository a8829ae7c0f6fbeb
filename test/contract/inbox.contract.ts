import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LeaseLost } from '../../src/base/errors.ts';
import { newEntryId } from '../../src/base/ids.ts';
import { botId, chatName, type InboxId, userId } from '../../src/base/terms.ts';
import { accept, conversationIn, leaseOf, messageOf, runOneTurn } from './rows.ts';
import type { MakeStoreUnderTest, StoreUnderTest } from './store-under-test.ts';

export function inboxContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(() => under.close());

  describe('accept', () => {
    test('a repeated webhook is accepted once', async () => {
      const { inbox } = under.store;
      const message = messageOf({ messageId: '41' });
      expect(await inbox.accept(message)).toMatchObject({ kind: 'accepted', idReused: false });
      expect(await inbox.accept(message)).toEqual({ kind: 'duplicate' });
      const atOnce = await Promise.all(Array.from({ length: 20 }, () => inbox.accept(message)));
      expect(atOnce.every((outcome) => outcome.kind === 'duplicate')).toBe(true);
      expect((await inbox.counts()).waiting).toBe(1);
    });

    test('a message that was answered is still a duplicate when it comes again', async () => {
      await accept(under.store, { messageId: '41' });
      await runOneTurn(under.store);
      expect(await under.store.inbox.accept(messageOf({ messageId: '41' }))).toEqual({ kind: 'duplicate' });
    });

    test('the same id with other text or another author is a new message and counts as reused', async () => {
      const { inbox } = under.store;
      await accept(under.store, { messageId: '41', text: 'one' });
      expect(await inbox.accept(messageOf({ messageId: '41', text: 'two' }))).toMatchObject({
        kind: 'accepted',
        idReused: true,
      });
      expect(
        await inbox.accept(messageOf({ messageId: '41', text: 'one', userId: userId(8) })),
      ).toMatchObject({
        idReused: true,
      });
    });

    test('author and text cannot be mistaken for each other', async () => {
      await accept(under.store, { messageId: '41', userId: userId('1","2'), text: '3' });
      const other = messageOf({ messageId: '41', userId: userId('1'), text: '2","3' });
      expect(await under.store.inbox.accept(other)).toMatchObject({ kind: 'accepted' });
    });

    test('the same id in another chat or for another bot is another message', async () => {
      const { inbox } = under.store;
      await accept(under.store, { messageId: '41' });
      for (const elsewhere of [{ chat: chatName('builtin') }, { botId: botId('other') }]) {
        const outcome = await inbox.accept(messageOf({ messageId: '41', ...elsewhere }));
        expect(outcome).toMatchObject({ kind: 'accepted', idReused: false });
      }
    });

    test('a late message and its webhook are one, whichever comes first and however its text is read', async () => {
      const { inbox } = under.store;
      const sent = messageOf({ messageId: '41', text: 'please  do' });
      const late = { ...sent, text: 'please do', sentAt: 500 };
      expect(await inbox.accept(sent)).toMatchObject({ kind: 'accepted' });
      expect(await inbox.accept(late)).toEqual({ kind: 'duplicate' });
      const other = { ...late, messageId: '42' };
      expect(await inbox.accept(other)).toMatchObject({ kind: 'accepted' });
      expect(await inbox.accept({ ...sent, messageId: '42' })).toEqual({ kind: 'duplicate' });
      expect(await under.store.arrivals.isStored({ ...sent, messageId: '42' })).toBe(true);
    });

    test('a late message and its webhook at once are accepted once', async () => {
      const sent = messageOf({ messageId: '41', text: 'hello' });
      const outcomes = await Promise.all(
        [sent, { ...sent, text: 'hello!', sentAt: 500 }, sent, { ...sent, sentAt: 500 }].map(
          under.store.inbox.accept,
        ),
      );
      expect(outcomes.filter(({ kind }) => kind === 'accepted')).toHaveLength(1);
    });

    test('a late message of another author is new: the chat was restored', async () => {
      await accept(under.store, { messageId: '41' });
      const late = { ...messageOf({ messageId: '41', userId: userId(8) }), sentAt: 500 };
      expect(await under.store.inbox.accept(late)).toMatchObject({ kind: 'accepted', idReused: true });
    });

    test('a late message says when it was sent', async () => {
      await under.store.inbox.accept({ ...messageOf(), sentAt: 500 });
      expect(await under.store.inbox.peek(conversationIn(1))).toMatchObject({
        sentAt: 500,
        acceptedAt: 1_000,
      });
    });

    test('what was accepted is known by id and author, whatever became of it', async () => {
      await accept(under.store, { messageId: '41' });
      await runOneTurn(under.store);
      await accept(under.store, { messageId: '42', userId: userId(8) });
      const asked = ['41', '42', '43'].map((messageId) => ({ messageId, userId: userId(7) }));
      expect(await under.store.inbox.known(messageOf().chat, messageOf().botId, asked)).toEqual(
        new Set(['41']),
      );
      expect(await under.store.inbox.known(chatName('builtin'), messageOf().botId, asked)).toEqual(new Set());
      expect(await under.store.inbox.known(messageOf().chat, messageOf().botId, [])).toEqual(new Set());
    });

    test('messages without an id are never duplicates', async () => {
      await accept(under.store, { text: 'same' });
      await accept(under.store, { text: 'same' });
      expect((await under.store.inbox.counts()).waiting).toBe(2);
    });

    test('every field comes back as it was given', async () => {
      const message = messageOf({ messageId: '41', text: 'Zażółć 🔥\n<b>\u0000"\'', roomName: null });
      const { receivedAt, ...given } = message;
      const id = await accept(under.store, { ...message, room: 1 });
      expect(await under.store.inbox.peek(message.conversation)).toEqual({
        ...given,
        id,
        state: 'waiting',
        attempts: 0,
        acceptedAt: receivedAt,
        promptId: null,
      });
    });
  });

  describe('claim', () => {
    test('takes the oldest message, counts the attempt and shows no prompt before the first', async () => {
      const first = await accept(under.store, { text: 'first' });
      await accept(under.store, { text: 'second' });
      const lease = await leaseOf(under.store);
      const claimed = await under.store.inbox.claim(lease, 'one', newEntryId());
      expect(claimed).toMatchObject([{ id: first, state: 'running', attempts: 1, promptId: null }]);
    });

    test('takes nothing when another message than the named one is the oldest by now', async () => {
      const [first, second] = [await accept(under.store), await accept(under.store)];
      const lease = await leaseOf(under.store);
      const claim = (oldest: InboxId) => under.store.inbox.claim(lease, 'one', newEntryId(), oldest);
      expect(await claim(second)).toEqual([]);
      expect(await under.store.inbox.peek(lease.conversation)).toMatchObject({ id: first, attempts: 0 });
      expect(await claim(first)).toMatchObject([{ id: first, attempts: 1 }]);
    });

    test('same-author takes all that its author has waiting, and nothing of others', async () => {
      for (const [author, text] of [
        [7, 'a'],
        [7, 'b'],
        [8, 'c'],
        [7, 'd'],
      ] as const)
        await accept(under.store, { userId: userId(author), text });
      const lease = await leaseOf(under.store);
      const claimed = await under.store.inbox.claim(lease, 'same-author', newEntryId());
      expect(claimed.map((message) => message.text)).toEqual(['a', 'b', 'd']);
      expect(await under.store.inbox.peek(lease.conversation)).toMatchObject({ text: 'a' });
    });

    test('same-author is bounded', async () => {
      for (let index = 0; index < 25; index += 1) await accept(under.store, { text: `${index}` });
      const claimed = await under.store.inbox.claim(await leaseOf(under.store), 'same-author', newEntryId());
      expect(claimed).toHaveLength(20);
    });

    test('a message given back is claimed again with the prompt id of the attempt before', async () => {
      await accept(under.store);
      const lease = await leaseOf(under.store);
      const [firstPrompt, secondPrompt] = [newEntryId(), newEntryId()];
      await giveBack(lease, firstPrompt, { notBefore: null, countAttempt: true });
      const [again] = await under.store.inbox.claim(lease, 'one', secondPrompt);
      expect(again).toMatchObject({ attempts: 2, promptId: firstPrompt });
      expect(await under.store.inbox.peek(lease.conversation)).toMatchObject({ promptId: secondPrompt });
    });

    test('a drained attempt is not counted', async () => {
      await accept(under.store);
      const lease = await leaseOf(under.store);
      await giveBack(lease, newEntryId(), { notBefore: null, countAttempt: false });
      expect(await under.store.inbox.claim(lease, 'one', newEntryId())).toMatchObject([{ attempts: 1 }]);
    });

    test('a backed-off message holds its whole conversation until its time', async () => {
      const { store, clock } = under;
      await accept(store, { text: 'backs off' });
      await accept(store, { text: 'behind it' });
      const lease = await leaseOf(store);
      // Waits that others name have fractions of a millisecond.
      await giveBack(lease, newEntryId(), { notBefore: clock.now() + 4_999.25, countAttempt: true });
      expect(await store.inbox.claim(lease, 'one', newEntryId())).toEqual([]);
      expect(await store.inbox.peek(lease.conversation)).toBeNull();
      await clock.advance(5_000);
      expect(await store.inbox.peek(lease.conversation)).toMatchObject({ text: 'backs off' });
      const claimed = await store.inbox.claim(lease, 'same-author', newEntryId());
      expect(claimed.map((message) => message.text)).toEqual(['backs off', 'behind it']);
    });

    test('what a dead server left running comes first, together as it was, with nothing else', async () => {
      const { store, clock } = under;
      for (const text of ['a', 'b']) await accept(store, { text });
      const promptId = newEntryId();
      await store.inbox.claim(await leaseOf(store), 'same-author', promptId);
      await accept(store, { text: 'c' });
      await clock.advance(60_000);

      const next = under.another('second');
      const lease = await leaseOf(next);
      const claimed = await next.inbox.claim(lease, 'one', newEntryId());
      expect(claimed).toMatchObject([
        { text: 'a', attempts: 2, promptId },
        { text: 'b', attempts: 2, promptId },
      ]);
    });

    test('claimAnswered takes the messages of a prompt without counting an attempt', async () => {
      const { store, clock } = under;
      for (const text of ['a', 'b']) await accept(store, { text });
      const promptId = newEntryId();
      const lease = await leaseOf(store);
      await store.inbox.claim(lease, 'same-author', promptId);
      await accept(store, { text: 'c' });
      const open = await store.inbox.claimAnswered(lease, promptId);
      expect(open).toMatchObject([
        { text: 'a', state: 'running', attempts: 1, promptId },
        { text: 'b', state: 'running', attempts: 1, promptId },
      ]);
      // Backing off does not hide it: its answer is there already.
      await store.turns.transaction(lease, (tx) =>
        tx.inbox.giveBack(ids(open), { notBefore: clock.now() + 5_000, countAttempt: true }),
      );
      expect(await store.inbox.claimAnswered(lease, promptId)).toHaveLength(2);
      expect(await store.inbox.claimAnswered(lease, newEntryId())).toEqual([]);
    });

    test('conversations do not see each other', async () => {
      await accept(under.store, { room: 1 });
      const lease = await leaseOf(under.store, 2);
      expect(await under.store.inbox.claim(lease, 'one', newEntryId())).toEqual([]);
      expect(await under.store.inbox.peek(lease.conversation)).toBeNull();
    });

    test('a stale lease claims nothing and ignores nothing', async () => {
      const id = await accept(under.store);
      const stale = await leaseOf(under.store);
      await under.another('second').leases.seize(stale.conversation);
      await expect(under.store.inbox.claim(stale, 'one', newEntryId())).rejects.toThrow(LeaseLost);
      await expect(under.store.inbox.claimAnswered(stale, newEntryId())).rejects.toThrow(LeaseLost);
      await expect(under.store.inbox.ignore(stale, id, 'bot')).rejects.toThrow(LeaseLost);
      expect(await under.store.inbox.peek(stale.conversation)).toMatchObject({
        state: 'waiting',
        attempts: 0,
      });
    });
  });

  describe('ends', () => {
    test('a terminal message never changes again', async () => {
      const { store } = under;
      const id = await accept(store);
      const lease = await leaseOf(store);
      await store.inbox.ignore(lease, id, 'bot');
      await expect(store.inbox.ignore(lease, id, 'bot')).rejects.toThrow();
      for (const change of ['settle', 'giveBack', 'bury'] as const) {
        const attempt = store.turns.transaction(lease, ({ inbox }) => {
          if (change === 'settle') return inbox.settle([id], 'answered');
          if (change === 'bury') return inbox.bury([id], 'attempts');
          return inbox.giveBack([id], { notBefore: null, countAttempt: true });
        });
        await expect(attempt).rejects.toThrow();
      }
      expect(await store.inbox.peek(lease.conversation)).toBeNull();
    });

    test('a lease ends only messages of its own conversation', async () => {
      const id = await accept(under.store, { room: 1 });
      const other = await leaseOf(under.store, 2);
      await expect(under.store.inbox.ignore(other, id, 'bot')).rejects.toThrow();
      expect((await under.store.inbox.counts()).waiting).toBe(1);
    });
  });

  describe('watching', () => {
    test('due lists free conversations whose oldest message can run, oldest first', async () => {
      const { store, clock } = under;
      await accept(store, { room: 3 });
      await accept(store, { room: 1 });
      await accept(store, { room: 3 });
      await accept(store, { room: 2 });
      const due = (): Promise<readonly string[]> => store.inbox.due(clock.now(), 10);
      expect(await due()).toEqual([conversationIn(3), conversationIn(1), conversationIn(2)]);
      expect(await store.inbox.due(clock.now(), 1)).toEqual([conversationIn(3)]);

      const lease = await leaseOf(store, 3);
      expect(await due()).toEqual([conversationIn(1), conversationIn(2)]);
      await giveBack(lease, newEntryId(), { notBefore: clock.now() + 1_000, countAttempt: true });
      await store.leases.release(lease);
      expect(await due()).toEqual([conversationIn(1), conversationIn(2)]);
      await clock.advance(1_000);
      expect(await due()).toEqual([conversationIn(3), conversationIn(1), conversationIn(2)]);
    });

    test('a message left running is due once its lease has expired', async () => {
      const { store, clock } = under;
      await accept(store);
      await store.inbox.claim(await leaseOf(store), 'one', newEntryId());
      expect(await store.inbox.due(clock.now(), 10)).toEqual([]);
      await clock.advance(30_000);
      expect(await store.inbox.due(clock.now(), 10)).toEqual([conversationIn(1)]);
    });

    test('an overdue message is told once, and not while a back-off holds it', async () => {
      const { store, clock } = under;
      await accept(store, { room: 1, receivedAt: 1_000 });
      await accept(store, { room: 1, receivedAt: 1_500 });
      await accept(store, { room: 2, receivedAt: 2_000 });
      await accept(store, { room: 3, receivedAt: 9_000 });
      await giveBack(await leaseOf(store, 1), newEntryId(), {
        notBefore: clock.now() + 1,
        countAttempt: true,
      });
      const told = await store.inbox.markOverdue(5_000, 10);
      expect(told.map((message) => message.conversation)).toEqual([conversationIn(2)]);
      expect(await store.inbox.markOverdue(5_000, 10)).toEqual([]);
    });

    test('a running message is not overdue', async () => {
      await accept(under.store, { receivedAt: 1_000 });
      await under.store.inbox.claim(await leaseOf(under.store), 'one', newEntryId());
      expect(await under.store.inbox.markOverdue(5_000, 10)).toEqual([]);
    });

    test('counts follow the states', async () => {
      const { store } = under;
      const nothing = { total: 0, waiting: 0, running: 0, oldestWaitingAt: null };
      expect(await store.inbox.counts()).toEqual(nothing);
      await accept(store, { room: 1, receivedAt: 3_000 });
      await accept(store, { room: 1, receivedAt: 2_000 });
      await accept(store, { room: 2, receivedAt: 4_000 });
      await runOneTurn(store, 2);
      await store.inbox.claim(await leaseOf(store, 1), 'one', newEntryId());
      expect(await store.inbox.counts()).toEqual({
        total: 3,
        waiting: 1,
        running: 1,
        oldestWaitingAt: 2_000,
      });
      expect(await store.inbox.waitingByConversation(10)).toEqual(new Map([[conversationIn(1), 1]]));
    });
  });

  test('whatever is accepted in whatever order, each message is answered once and in order', async () => {
    const webhook = fc.record({
      room: fc.integer({ min: 1, max: 3 }),
      messageId: fc.integer({ min: 1, max: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(webhook, { maxLength: 25 }), async (webhooks) => {
        const run = await make();
        try {
          const facts = webhooks.map(({ room, messageId }) => ({
            room,
            messageId: `${room}-${messageId}`,
            text: `${room}-${messageId}`,
          }));
          await Promise.all(facts.map((fact) => run.store.inbox.accept(messageOf(fact))));
          for (const room of [1, 2, 3]) {
            const wanted = [...new Set(facts.filter((fact) => fact.room === room).map((fact) => fact.text))];
            const answered: string[] = [];
            for (
              let next = await runOneTurn(run.store, room);
              next.length > 0;
              next = await runOneTurn(run.store, room)
            )
              answered.push(...next);
            expect(answered).toEqual(wanted);
          }
        } finally {
          await run.close();
        }
      }),
      { numRuns: 20 },
    );
  });

  async function giveBack(
    lease: Awaited<ReturnType<typeof leaseOf>>,
    promptId: ReturnType<typeof newEntryId>,
    back: { notBefore: number | null; countAttempt: boolean },
  ): Promise<void> {
    const claimed = await under.store.inbox.claim(lease, 'one', promptId);
    await under.store.turns.transaction(lease, (tx) => tx.inbox.giveBack(ids(claimed), back));
  }
}

function ids(messages: readonly { readonly id: InboxId }[]): InboxId[] {
  return messages.map((message) => message.id);
}
