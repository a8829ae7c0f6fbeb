import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeClock, makeFakeClock } from '../../test/fixtures/fake-clock.ts';
import { makeBot } from '../../test/fixtures/front-doors.ts';
import { makeTempFolder } from '../../test/setup/temp.ts';
import { botId, chatName, roomId, userId } from '../base/terms.ts';
import type { AcceptOutcome, IncomingMessage } from '../inbox/inbox.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import { type Database, makeStore, type Store } from '../store/store.ts';
import { type Metrics, makeMetrics } from '../telemetry/metrics.ts';
import { MOST_WAITING } from './decide-overload.ts';
import { toIncoming } from './incoming.ts';
import { makeOverloadGuard, type OverloadDeps } from './overload.ts';

const CHAT = chatName('campfire:test');
const BENDER = makeBot({ id: botId('bender') });
const SHY = makeBot({ id: botId('shy'), allowedUsers: new Set(['1']) });
const OURS = userId(9_999);

let clock: FakeClock;
let database: Database;
let store: Store;
let metrics: Metrics;
let accept: (message: IncomingMessage) => Promise<AcceptOutcome>;
let waiting: () => Promise<number>;
let owed: number;
let nextId: number;

beforeEach(async () => {
  clock = makeFakeClock();
  metrics = makeMetrics();
  owed = 0;
  nextId = 1;
  database = await openSqlite(join(makeTempFolder(), 'store.sqlite'), clock);
  store = makeStore(database, clock, { holder: 'test', leaseMs: 1_000 });
  waiting = async () => (await store.inbox.counts()).waiting;
  accept = makeDoor({ perMinute: { user: 30, room: 60, bot: 300 }, waitingInConversation: 20 });
});

function makeDoor(limits: OverloadDeps['limits']): typeof accept {
  const guard = makeOverloadGuard({
    limits,
    overflow: store.overflow,
    countWaiting: () => waiting(),
    bots: { get: (id) => [BENDER, SHY].find((bot) => bot.id === id) ?? null },
    isCommand: (text) => text.startsWith('/'),
    isOurs: (user) => user === OURS,
    noticeText: () => 'too much',
    owed: () => {
      owed += 1;
    },
    clock,
    metrics,
  });
  return guard.admit((message) =>
    message.text.startsWith('/') ? store.arrivals.ignore(message) : guard.acceptWaiting(message),
  );
}
afterEach(() => store.close());

type Facts = {
  readonly user?: number;
  readonly room?: number;
  readonly bot?: typeof BENDER;
  readonly text?: string;
  readonly sentAt?: number;
};

function messageOf({
  user = 1,
  room = 1,
  bot = BENDER,
  text = 'hello',
  sentAt,
}: Facts = {}): IncomingMessage {
  nextId += 1;
  return toIncoming(CHAT, bot, {
    roomId: roomId(room),
    roomName: 'HQ',
    userId: userId(user),
    userName: 'Kevin',
    messageId: String(nextId),
    text,
    receivedAt: clock.now(),
    ...(sentAt === undefined ? {} : { sentAt }),
  });
}

/** What became of so many at once, counted. */
async function send(count: number, facts: (n: number) => Facts): Promise<Record<string, number>> {
  const outcomes = await Promise.all(Array.from({ length: count }, (_, n) => accept(messageOf(facts(n)))));
  const counts: Record<string, number> = {};
  for (const { kind } of outcomes) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

async function notices(): Promise<readonly unknown[]> {
  return database.read.selectFrom('outbox').select(['kind', 'markdown', 'room_id']).orderBy('id').execute();
}

async function limits(): Promise<Record<string, number>> {
  const { values } = await metrics.overloads.get();
  return Object.fromEntries(values.map(({ labels, value }) => [String(labels.limit), value]));
}

describe('of messages that come at once', () => {
  it('a person has thirty a minute, in all rooms', async () => {
    expect(await send(40, (n) => ({ room: n }))).toEqual({ accepted: 30, overloaded: 10 });
    expect(await limits()).toEqual({ user: 10 });
    expect(await send(1, () => ({ user: 2 }))).toEqual({ accepted: 1 });
    await clock.advance(2_000);
    expect(await send(2, (n) => ({ room: 100 + n }))).toEqual({ accepted: 1, overloaded: 1 });
  });

  it('a room has sixty a minute, by all people and to all bots', async () => {
    const people = (n: number) => ({ user: n, room: 1, bot: n % 2 === 0 ? BENDER : SHY });
    const counts = await send(70, people);
    expect((counts.accepted ?? 0) + (counts.overloaded ?? 0)).toBe(70);
    expect((await limits()).room).toBe(10);
  });

  it('a bot has three hundred a minute', async () => {
    expect(await send(310, (n) => ({ user: n, room: n }))).toEqual({ accepted: 300, overloaded: 10 });
    expect(await limits()).toEqual({ bot: 10 });
  });

  it('a conversation has twenty that wait, and another of the same person goes on', async () => {
    expect(await send(25, () => ({ room: 1 }))).toEqual({ accepted: 20, overloaded: 5 });
    expect(await limits()).toEqual({ conversation: 5 });
    expect(await send(1, () => ({ room: 2 }))).toEqual({ accepted: 1 });
  });

  it('ten thousand wait in all, and no more is stored', async () => {
    waiting = async () => MOST_WAITING;
    expect(await send(3, (n) => ({ room: n }))).toEqual({ full: 3 });
    expect((await store.inbox.counts()).total).toBe(0);
    expect(await send(1, () => ({ text: '/stop' }))).toEqual({ ignored: 1 });
    waiting = async () => MOST_WAITING - 2;
    await clock.advance(1_000);
    expect(await send(1, () => ({ room: 1 }))).toEqual({ accepted: 1 });
    expect(await send(1, () => ({ room: 2 }))).toEqual({ accepted: 1 });
    expect(await send(1, () => ({ room: 3 }))).toEqual({ full: 1 });
  });
});

it('without limits everything is taken, until ten thousand wait', async () => {
  accept = makeDoor(null);
  expect(await send(400, () => ({ room: 1 }))).toEqual({ accepted: 400 });
  waiting = async () => MOST_WAITING;
  await clock.advance(1_000);
  expect(await send(1, () => ({}))).toEqual({ full: 1 });
});

describe('one of too many', () => {
  it('is settled, and its room is told once a minute', async () => {
    await send(30, () => ({ room: 1 }));
    await send(5, (n) => ({ room: 50 + n, user: 2 }));
    expect(await notices()).toEqual([{ kind: 'overloaded', markdown: 'too much', room_id: '1' }]);
    expect(owed).toBe(10);
    await clock.advance(59_999);
    await send(5, () => ({ room: 1, user: 3 }));
    expect(await notices()).toHaveLength(1);
    await clock.advance(1);
    await send(5, () => ({ room: 1, user: 3 }));
    expect(await notices()).toHaveLength(2);
    const states = await database.read.selectFrom('inbox').select(['state', 'outcome']).execute();
    expect(states.filter(({ state, outcome }) => state === 'settled' && outcome === 'notice')).toHaveLength(
      20,
    );
  });

  it('is a duplicate when its webhook comes again', async () => {
    await send(30, () => ({ room: 1 }));
    const message = messageOf({ room: 1, user: 2 });
    expect(await accept(message)).toMatchObject({ kind: 'overloaded' });
    expect(await accept(message)).toEqual({ kind: 'duplicate' });
  });

  it('is told to nobody when its author is not to be answered', async () => {
    await send(40, () => ({ bot: SHY, user: 2 }));
    expect(await notices()).toEqual([]);
    await send(40, () => ({ bot: SHY, user: 1 }));
    expect(await notices()).toHaveLength(1);
  });
});

it('a webhook that comes again costs nobody anything', async () => {
  const message = messageOf({ room: 1 });
  await accept(message);
  for (let again = 0; again < 40; again += 1) expect(await accept(message)).toEqual({ kind: 'duplicate' });
  expect(await send(29, (n) => ({ room: 2 + n }))).toEqual({ accepted: 29 });
});

it('late messages are never of too many, nor are those of our own bots', async () => {
  expect(await send(100, () => ({ room: 1, sentAt: clock.now() - 1 }))).toEqual({ accepted: 100 });
  expect(await send(40, () => ({ user: Number(OURS), room: 2, text: '/x' }))).toEqual({ ignored: 40 });
});

it('commands count for their author alone', async () => {
  await send(70, (n) => ({ user: n, room: 1 }));
  expect(await send(31, () => ({ user: 500, room: 1, text: '/status' }))).toEqual({
    ignored: 30,
    overloaded: 1,
  });
});
