import { afterEach, beforeEach, expect, it } from 'vitest';
import { BOT, conversationIn, ledgerOf, USAGE } from '../../test/contract/rows.ts';
import { makeSqliteUnderTest, type StoreUnderTest } from '../../test/contract/store-under-test.ts';
import { AS_ADMIN, type Doors, openDoors } from '../../test/fixtures/front-doors.ts';

let under: StoreUnderTest;
let doors: Doors;
beforeEach(async () => {
  under = await makeSqliteUnderTest();
  doors = await openDoors({ ledger: under.store.ledger });
});
afterEach(async () => {
  await doors.close();
  await under.close();
});

const get = (query = '') => doors.http.inject({ url: `/api/costs${query}`, headers: AS_ADMIN });

async function book(room: number, costUsd: number, daysAgo: number): Promise<void> {
  const lease = await under.store.leases.seize(conversationIn(room));
  const at = doors.clock.now() - daysAgo * 86_400_000;
  const usage = { ...USAGE, costUsd };
  await under.store.turns.transaction(lease, (tx) => tx.ledger.add({ ...ledgerOf(room), usage, at }));
}

it('tells what each day has cost, the oldest first', async () => {
  await book(1, 1, 2);
  await book(1, 2, 0);
  await book(2, 4, 0);
  await book(2, 8, 40);
  const { costs, time_zone: zone } = (await get()).json();
  expect(costs).toMatchObject([
    { cost_usd: 1, attempts: 1 },
    { cost_usd: 6, attempts: 2 },
  ]);
  expect(zone).toBe('UTC');
});

it('tells what each conversation, person and bot has cost, the dearest first', async () => {
  await book(1, 1, 0);
  await book(2, 4, 0);
  const by = async (what: string) => (await get(`?by=${what}`)).json().costs;
  expect(await by('conversation')).toMatchObject([
    { of: conversationIn(2), cost_usd: 4, input_tokens: USAGE.inputTokens },
    { of: conversationIn(1), cost_usd: 1 },
  ]);
  expect(await by('bot')).toMatchObject([{ of: BOT, cost_usd: 5, attempts: 2 }]);
  expect(await by('user')).toHaveLength(1);
  expect((await get('?by=conversation&limit=1')).json().costs).toHaveLength(1);
});

it('says what it does not know', async () => {
  expect((await get('?by=room')).json()).toMatchObject({ status: 422, code: 'invalid_fields' });
  expect((await get('?days=0')).statusCode).toBe(422);
  expect((await doors.http.inject({ url: '/api/costs' })).statusCode).toBe(401);
});
