import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newEntryId } from '../../src/base/ids.ts';
import { userId } from '../../src/base/terms.ts';
import { accept, conversationIn, leaseOf, ledgerOf, messageOf, replyIn, runOneTurn } from './rows.ts';
import type { MakeStoreUnderTest, StoreUnderTest } from './store-under-test.ts';

export function arrivalsContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(() => under.close());

  const answered = (messageId: string, dropWaiting = false) =>
    under.store.arrivals.acceptAnswered(messageOf({ messageId, text: '/stop' }), {
      dropWaiting,
      answer: (dropped) => replyIn(1, `dropped ${dropped}`),
    });
  async function owed(): Promise<readonly string[]> {
    const rows = await under.database.read.selectFrom('outbox').select('markdown').orderBy('id').execute();
    return rows.map(({ markdown }) => markdown);
  }
  async function rows(): Promise<readonly string[]> {
    const found = await under.database.read
      .selectFrom('inbox')
      .select(['text', 'state', 'outcome'])
      .orderBy('id')
      .execute();
    return found.map(({ text, state, outcome }) => `${text}: ${state} ${outcome ?? ''}`.trim());
  }

  describe('a message with its answer', () => {
    test('is settled with it at once and never waits for a turn', async () => {
      expect(await answered('41')).toMatchObject({ kind: 'answered', idReused: false });
      expect(await rows()).toEqual(['/stop: settled notice']);
      expect(await owed()).toEqual(['dropped 0']);
      expect(await under.store.inbox.peek(conversationIn(1))).toBeNull();
    });

    test('is answered once, however often it comes', async () => {
      await answered('41');
      expect(await answered('41')).toEqual({ kind: 'duplicate' });
      await Promise.all(Array.from({ length: 5 }, () => answered('41')));
      expect(await owed()).toEqual(['dropped 0']);
    });

    test('names the row that it answers', async () => {
      const stored = await answered('41');
      const [row] = await under.store.outbox.claim(Number.MAX_SAFE_INTEGER, new Set(), 1);
      expect(row?.inboxId).toBe('id' in stored ? stored.id : null);
    });

    test('drops what waits and leaves what runs, and what waits elsewhere', async () => {
      const { store } = under;
      await accept(store, { text: 'runs' });
      await store.inbox.claim(await leaseOf(store), 'one', newEntryId());
      for (const text of ['waits', 'waits too']) await accept(store, { text });
      await accept(store, { text: 'elsewhere', room: 2 });
      await answered('41', true);
      expect(await rows()).toEqual([
        'runs: running',
        'waits: buried stopped',
        'waits too: buried stopped',
        'elsewhere: waiting',
        '/stop: settled notice',
      ]);
      expect(await owed()).toEqual(['dropped 2']);
    });

    test('that came before drops nothing again', async () => {
      await answered('41', true);
      await accept(under.store, { text: 'later' });
      await answered('41', true);
      expect(await rows()).toContain('later: waiting');
    });
  });

  describe('a message where others are turned away', () => {
    const unlessBusy = (text: string) =>
      under.store.arrivals.acceptUnlessBusy(messageOf({ messageId: text, text }), replyIn(1, `not ${text}`));

    test('waits for its turn when nothing of its conversation is unfinished', async () => {
      await accept(under.store, { text: 'elsewhere', room: 2 });
      await answered('41');
      expect(await unlessBusy('one')).toMatchObject({ kind: 'accepted' });
      expect(await owed()).toEqual(['dropped 0']);
    });

    test('is rejected when another one runs or waits, and says so once until that one has ended', async () => {
      expect(await unlessBusy('one')).toMatchObject({ kind: 'accepted' });
      for (const text of ['two', 'three']) expect(await unlessBusy(text)).toMatchObject({ kind: 'rejected' });
      expect(await rows()).toEqual(['one: waiting', 'two: ignored rejected', 'three: ignored rejected']);
      expect(await owed()).toEqual(['not two']);

      expect(await runOneTurn(under.store)).toEqual(['one']);
      await under.clock.advance(1);
      expect(await unlessBusy('four')).toMatchObject({ kind: 'accepted' });
      expect(await unlessBusy('five')).toMatchObject({ kind: 'rejected' });
      expect(await owed()).toEqual(['not two', 'not five']);
    });

    test('is rejected with words though somebody was told so elsewhere', async () => {
      await accept(under.store, { room: 1, text: 'runs here' });
      await accept(under.store, { room: 2, text: 'runs there' });
      const there = messageOf({ room: 2, messageId: 'b', text: 'b' });
      await under.store.arrivals.acceptUnlessBusy(there, replyIn(2, 'not there'));
      expect(await unlessBusy('here')).toMatchObject({ kind: 'rejected' });
      expect(await owed()).toEqual(['not there', 'not here']);
    });

    test('of which two come at once is one that runs and one that is rejected', async () => {
      const outcomes = await Promise.all([unlessBusy('one'), unlessBusy('two')]);
      expect(outcomes.map(({ kind }) => kind)).toEqual(['accepted', 'rejected']);
    });

    test('is a duplicate when it comes again, not one that finds itself running', async () => {
      await unlessBusy('one');
      expect(await unlessBusy('one')).toEqual({ kind: 'duplicate' });
      await unlessBusy('two');
      expect(await unlessBusy('two')).toEqual({ kind: 'duplicate' });
      expect(await owed()).toEqual(['not two']);
    });
  });

  test('an ignored message is stored, and known when it comes again', async () => {
    const { arrivals } = under.store;
    const message = messageOf({ messageId: '41', text: 'from a bot' });
    expect(await arrivals.isStored(message)).toBe(false);
    expect(await arrivals.ignore(message)).toMatchObject({ kind: 'ignored' });
    expect(await arrivals.ignore(message)).toEqual({ kind: 'duplicate' });
    expect(await rows()).toEqual(['from a bot: ignored bot']);
    expect(await arrivals.isStored(message)).toBe(true);
    expect(await arrivals.isStored({ ...message, text: 'another' })).toBe(false);
    expect(await arrivals.isStored({ ...message, messageId: null })).toBe(false);
  });

  test('the author is that of the running turn, else of the last one, else nobody', async () => {
    const { store } = under;
    const conversation = conversationIn(1);
    const author = () => store.arrivals.lastAuthor(conversation);
    expect(await author()).toBeNull();
    await accept(store, { userId: userId(8) });
    expect(await author()).toBeNull();

    const lease = await leaseOf(store);
    const [message] = await store.inbox.claim(lease, 'one', newEntryId());
    expect(await author()).toBe('8');
    expect(await store.arrivals.lastAuthor(conversationIn(2))).toBeNull();
    await store.turns.transaction(lease, async (tx) => {
      await tx.ledger.add({ ...ledgerOf(1), userId: userId(8), at: 3_000 });
      await tx.ledger.add({ ...ledgerOf(1), userId: userId(7), at: 2_000 });
      await tx.ledger.add({ ...ledgerOf(1), userId: userId(''), outcome: 'compaction', at: 4_000 });
      await tx.inbox.settle([message!.id], 'answered');
    });
    expect(await author()).toBe('8');
    expect(await store.arrivals.lastAuthor(conversationIn(2))).toBeNull();
  });
}
