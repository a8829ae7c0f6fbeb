import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BotId, botId, userId } from '../../src/base/terms.ts';
import type { LedgerEntry } from '../../src/turn/turn.ts';
import { BOT, conversationIn, ledgerOf, USAGE } from './rows.ts';
import type { MakeStoreUnderTest, StoreUnderTest } from './store-under-test.ts';

const JANE = userId(7);
const BOB = userId(8);
const OTHER = botId('other');

export function ledgerContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(() => under.close());

  async function book(
    room: number,
    costUsd: number,
    facts: { readonly at?: number; readonly user?: LedgerEntry['userId']; readonly bot?: BotId } = {},
  ): Promise<void> {
    const lease = await under.store.leases.seize(conversationIn(room));
    const { at = 1_000, user = JANE, bot = BOT } = facts;
    const usage = { ...USAGE, costUsd };
    await under.store.turns.transaction(lease, (tx) =>
      tx.ledger.add({ ...ledgerOf(room), botId: bot, userId: user, usage, at }),
    );
  }

  describe('what was spent', () => {
    test('by nobody is nothing', async () => {
      expect(await under.store.ledger.spent({ conversation: conversationIn(1), since: 0 })).toBe(0);
    });

    test('in a conversation since an instant is the sum of its attempts from then on', async () => {
      await book(1, 1, { at: 999 });
      await book(1, 2, { at: 1_000 });
      await book(1, 4, { at: 1_001, user: BOB });
      await book(2, 8);
      const { ledger } = under.store;
      expect(await ledger.spent({ conversation: conversationIn(1), since: 1_000 })).toBe(6);
    });

    test('by a person with a bot counts all rooms, and no other bot and person', async () => {
      await book(1, 1);
      await book(2, 2);
      await book(1, 4, { user: BOB });
      await book(1, 8, { bot: OTHER });
      await book(1, 16, { at: 999 });
      expect(await under.store.ledger.spent({ bot: BOT, user: JANE, since: 1_000 })).toBe(3);
    });
  });

  test('an attempt can be booked without its lease', async () => {
    const lease = await under.store.leases.seize(conversationIn(1));
    await under.store.leases.seize(conversationIn(1));
    const entry = { ...ledgerOf(1), usage: { ...USAGE, costUsd: 4 }, at: 1_000 };
    await expect(under.store.turns.transaction(lease, (tx) => tx.ledger.add(entry))).rejects.toThrow();
    await under.store.ledger.add(entry);
    expect(await under.store.ledger.spent({ conversation: conversationIn(1), since: 0 })).toBe(4);
  });

  describe('totals', () => {
    test('of conversations, people and bots, the dearest first and no more than asked for', async () => {
      await book(1, 1);
      await book(2, 2, { user: BOB });
      await book(2, 4, { user: BOB, bot: OTHER });
      await book(2, 100, { at: 1 });
      const { ledger } = under.store;
      const told = async (by: Parameters<typeof ledger.totals>[0], limit = 10) =>
        (await ledger.totals(by, 1_000, limit)).map(({ of, costUsd, attempts }) => [of, costUsd, attempts]);
      expect(await told('conversation')).toEqual([
        [conversationIn(2), 6, 2],
        [conversationIn(1), 1, 1],
      ]);
      expect(await told('user')).toEqual([
        [BOB, 6, 2],
        [JANE, 1, 1],
      ]);
      expect(await told('bot', 1)).toEqual([[OTHER, 4, 1]]);
      const [jane] = (await ledger.totals('user', 1_000, 10)).toReversed();
      expect(jane).toEqual({ of: JANE, attempts: 1, ...USAGE, costUsd: 1 });
    });

    test('of days follow the calendar of the zone', async () => {
      const at = (text: string) => ({ at: Date.parse(text) });
      await book(1, 1, at('2026-11-20T10:00:00Z'));
      await book(1, 2, at('2026-11-20T18:14:59Z'));
      await book(1, 4, at('2026-11-20T18:15:00Z'));
      await book(2, 8, at('2026-11-21T01:00:00Z'));
      const days = await under.store.ledger.daily(0, 'Asia/Kathmandu');
      expect(days.map(({ of, costUsd, attempts }) => [of, costUsd, attempts])).toEqual([
        ['2026-11-20', 3, 2],
        ['2026-11-21', 12, 2],
      ]);
    });
  });
}
