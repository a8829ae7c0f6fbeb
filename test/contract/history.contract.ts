import { afterEach, beforeEach, expect, test } from 'vitest';
import { accept, conversationIn, leaseOf, replyIn, runOneTurn } from './rows.ts';
import type { MakeStoreUnderTest, StoreUnderTest } from './store-under-test.ts';

/** What a recap is made of: nobody reads in it what was said elsewhere. */
export function historyContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(() => under.close());

  /** A message and its reply, each a moment after what was before. */
  async function talk(room: number, text: string, reply: string): Promise<void> {
    await under.clock.advance(1);
    await accept(under.store, { room, text, receivedAt: under.clock.now() });
    await runOneTurn(under.store, room);
    await under.clock.advance(1);
    await under.store.outbox.add([replyIn(room, reply)]);
  }
  const recent = (room: number, limit = 10) => under.store.history.recent(conversationIn(room), limit);

  test('the history of a conversation is what was said in it and nowhere else, oldest first', async () => {
    await talk(1, 'my cat is Momo', 'Noted.');
    await talk(2, 'the code is 1234', 'I keep it.');
    await talk(1, 'who is my cat?', 'Momo.');
    expect(await recent(1)).toEqual([
      { author: 'Jane', text: 'my cat is Momo' },
      { author: null, text: 'Noted.' },
      { author: 'Jane', text: 'who is my cat?' },
      { author: null, text: 'Momo.' },
    ]);
    expect(await recent(1, 3)).toEqual((await recent(1)).slice(1));
    expect(await recent(3)).toEqual([]);
  });

  test('the history of a conversation holds neither what still waits nor a notice', async () => {
    await talk(1, 'my cat is Momo', 'Noted.');
    await accept(under.store, { text: 'and my dog?' });
    await under.store.outbox.add([{ ...replyIn(1, 'It takes longer.'), kind: 'takes_longer' }]);
    expect(await recent(1)).toHaveLength(2);
  });

  test('the history of a conversation that was forgotten holds nothing that people wrote, and others are whole', async () => {
    await talk(1, 'my cat is Momo', 'Noted.');
    await talk(2, 'my cat is Tom', 'Noted.');
    const lease = await leaseOf(under.store, 1);
    await under.store.sessions.forget(lease);
    const texts = (await recent(1)).map(({ text }) => text);
    expect(texts).not.toContain('my cat is Momo');
    expect(await recent(2)).toHaveLength(2);
  });
}
