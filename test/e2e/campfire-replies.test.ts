/** Replies on their way into a Campfire, in both of its versions, and what becomes of them when that goes wrong. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { botId, chatName, roomId, userId } from '../../src/base/terms.ts';
import { makeCampfire } from '../../src/chat/campfire/campfire.ts';
import { makeSender, type Sender } from '../../src/outbox/sender.ts';
import { type Metrics, makeMetrics } from '../../src/telemetry/metrics.ts';
import {
  type CampfireDouble,
  type CampfireVersion,
  screenHtml,
  startCampfireDouble,
} from '../fixtures/campfire-double.ts';
import { type FakeClock, makeFakeClock } from '../fixtures/fake-clock.ts';
import { type MemoryOutbox, makeMemoryOutbox, replyTo } from '../fixtures/memory-outbox.ts';

const CHAT = chatName('campfire:test');
const [DAVID, KEVIN, BENDER, FLEXO] = [1, 2, 3, 4];
const [WATERCOOLER, SECRET, DIRECT] = [2, 3, 4];

type Setup = { readonly version: CampfireVersion; readonly database: boolean };
const READABLE: readonly (readonly [string, Setup])[] = [
  ['a newer Campfire', { version: 'newer', database: false }],
  ['the released Campfire with its database', { version: 'released', database: true }],
];
const UNREADABLE = ['the released Campfire alone', { version: 'released', database: false }] as const;
const ALL = [...READABLE, UNREADABLE];

let double: CampfireDouble;
let clock: FakeClock;
let campfire: ReturnType<typeof makeCampfire>;
let outbox: MemoryOutbox;
let sender: Sender;
let metrics: Metrics;
let logged: string[];
let keys: Record<string, string | null>;

async function start({ version, database }: Setup): Promise<void> {
  double = await startCampfireDouble({ version });
  keys = { bender: double.data.keyOf(BENDER), flexo: double.data.keyOf(FLEXO) };
  startServer(database ? double.databasePath : null);
}

function startServer(databasePath: string | null, baseUrl = double.url): void {
  clock = makeFakeClock();
  metrics = makeMetrics();
  logged = [];
  const note = (...facts: readonly unknown[]) => void logged.push(JSON.stringify(facts));
  const log = { debug: note, info: note, warn: note, error: note, fatal: note };
  campfire = makeCampfire({
    baseUrl,
    name: CHAT,
    keyOf: async (bot) => keys[bot] ?? null,
    clock,
    log,
    ...(databasePath === null ? {} : { databasePath }),
  });
  outbox = makeMemoryOutbox(clock);
  sender = makeSender({
    outbox,
    chats: (name) => (name === CHAT ? campfire : null),
    clock,
    log,
    metrics,
  });
  sender.start();
}

afterEach(async () => {
  await sender.stop();
  await campfire.close();
  await double.close();
  // Neither key nor address nor words, whatever went wrong.
  expect(logged.join('\n')).not.toMatch(/[34]-[A-Za-z0-9]{12}|127\.0\.0\.1|hello/);
});

async function owe(room: number, bot: string, ...texts: readonly string[]): Promise<void> {
  await outbox.add(texts.map((text) => replyTo(CHAT, room, bot, text)));
  sender.wake();
}

/** Waits for the network, never for time: that stands still. */
function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 10_000, interval: 2 });
}

async function become(...states: readonly string[]): Promise<void> {
  await eventually(() => expect(outbox.rows().map(({ state }) => state)).toEqual(states));
}

/** Lets time pass until the rows are in these states. */
async function becomeInTime(limitMs: number, ...states: readonly string[]): Promise<void> {
  for (let passed = 0; passed < limitMs; passed += 1_000) {
    if (outbox.rows().every(({ state }, at) => state === states[at])) return;
    await clock.advance(1_000);
    // The network has its turn between two seconds of a time that stands still.
    await eventually(() => expect(outbox.rows().some(({ state }) => state === 'sending')).toBe(false));
  }
  await become(...states);
}

function textsIn(room: number): readonly string[] {
  return double.data.messages(room).map(({ plainText }) => plainText);
}

const point = { target: { roomId: roomId(WATERCOOLER), botId: botId('bender') } };

describe.each(ALL)('%s', (_name, setup) => {
  beforeEach(() => start(setup));

  it('gets a reply once, as the HTML that it shows, and its id is kept', async () => {
    await owe(WATERCOOLER, 'bender', 'Hello **you**\n`Map<String, X>`');
    await become('sent');
    const [post, ...more] = double.posts();
    expect(more).toEqual([]);
    expect(post).toMatchObject({ room: WATERCOOLER, bot: BENDER, contentType: 'text/plain; charset=utf-8' });
    expect(screenHtml(post?.html ?? '')).toBe(
      '<p>Hello <strong>you</strong><br><code>Map&lt;String, X&gt;</code></p>',
    );
    expect(outbox.rows()[0]?.platformId).toBe(String(post?.id));
    expect(textsIn(WATERCOOLER)).toEqual(['Hello you\nMap<String, X>']);
  });

  it('gets the replies of a room in their order, and those of others beside them', async () => {
    let release = () => {};
    double.failNext({
      kind: 'held',
      until: new Promise((resolve) => {
        release = resolve;
      }),
    });
    await owe(WATERCOOLER, 'bender', 'one', 'two', 'three');
    await owe(DIRECT, 'bender', 'beside');
    await become('sending', 'owed', 'owed', 'sent');
    release();
    await become('sent', 'sent', 'sent', 'sent');
    expect(textsIn(WATERCOOLER)).toEqual(['one', 'two', 'three']);
  });

  it('that refuses the key is not asked again, and its login page never', async () => {
    double.data.rotateKey(BENDER, 'newtokennewt');
    await owe(WATERCOOLER, 'bender', 'hello');
    await become('buried');
    expect(outbox.rows()[0]?.reason).toBe('key_refused');
    expect(double.posts()).toHaveLength(1);
    expect(double.reads()).toEqual([]);
  });

  it('without the bot in the room has the reply buried as such', async () => {
    await owe(SECRET, 'bender', 'hello', 'hello again');
    await owe(WATERCOOLER, 'bender', 'elsewhere');
    await becomeInTime(300_000, 'buried', 'buried', 'sent');
    expect(outbox.rows().map(({ reason }) => reason)).toEqual(['room_gone', 'room_gone', null]);
    expect(textsIn(SECRET)).toEqual([]);
  });

  it('gets a reply whose connection broke before it was stored', async () => {
    double.failNext({ kind: 'reset', stored: false });
    await owe(WATERCOOLER, 'bender', 'hello', 'next');
    await become('unknown', 'owed');
    await becomeInTime(60_000, 'sent', 'sent');
    expect(textsIn(WATERCOOLER)).toEqual(['hello', 'next']);
  });

  it('that answers 500 once gets the reply all the same', async () => {
    double.failNext({ kind: 'error-page' });
    await owe(WATERCOOLER, 'bender', 'hello');
    await become('unknown');
    await becomeInTime(60_000, 'sent');
    expect(textsIn(WATERCOOLER)).toEqual(['hello']);
  });

  it('that is restarted behind its proxy gets every reply once', async () => {
    double.setDown({ kind: 'status', status: 502, headers: { 'content-type': 'text/html' }, body: '<html>' });
    await owe(WATERCOOLER, 'bender', 'one', 'two');
    await become('unknown', 'owed');
    for (let minutes = 0; minutes < 10; minutes += 1) {
      await clock.advance(60_000);
      await eventually(() => expect(outbox.rows().some(({ state }) => state === 'sending')).toBe(false));
    }
    double.setDown(null);
    await becomeInTime(1_200_000, 'sent', 'sent');
    expect(textsIn(WATERCOOLER)).toEqual(['one', 'two']);
  });

  it('is not asked about a room or with a key that would be another path', async () => {
    keys.sneaky = '../../account';
    keys.slashed = '3-abc/../../x';
    await outbox.add([
      replyTo(CHAT, '2/../1', 'bender', 'hello'),
      replyTo(CHAT, '2?x=', 'bender', 'hello'),
      replyTo(CHAT, WATERCOOLER, 'sneaky', 'hello'),
      replyTo(CHAT, WATERCOOLER, 'slashed', 'hello'),
      replyTo(CHAT, WATERCOOLER, 'keyless', 'hello'),
      replyTo(CHAT, WATERCOOLER, 'bender', ' \u200b'),
    ]);
    sender.wake();
    await become(...Array.from({ length: 6 }, () => 'buried'));
    expect(outbox.rows().map(({ reason }) => reason)).toEqual([
      'rejected',
      'rejected',
      'key_refused',
      'key_refused',
      'no_key',
      'rejected',
    ]);
    expect([...double.posts(), ...double.reads()]).toEqual([]);
  });
});

describe.each(READABLE)('%s, read back', (_name, setup) => {
  beforeEach(() => start(setup));

  it.each([
    ['the connection broke', { kind: 'reset', stored: true }],
    ['a 500 was answered', { kind: 'status', status: 500, stored: true, body: '' }],
    ['a proxy gave up', { kind: 'status', status: 504, stored: true, body: 'late' }],
  ] as const)('has no reply twice that was stored before %s', async (_what, failure) => {
    double.failNext(failure);
    const list = 'Steps:\n\n1. one\n2. two\n   - deep\n\n> quoted\n\n| a | b |\n|---|---|\n| 苹果 | 2 |';
    await owe(WATERCOOLER, 'bender', list, 'next');
    await become('unknown', 'owed');
    await becomeInTime(60_000, 'sent', 'sent');
    expect(double.posts()).toHaveLength(2);
    expect(outbox.rows()[0]).toMatchObject({ attempts: 1, mayBeDouble: false });
    expect(outbox.rows()[0]?.platformId).toBe(String(double.data.messages(WATERCOOLER)[0]?.id));
  });

  it('has no reply twice that it stored after we had given up waiting', async () => {
    let release = () => {};
    double.failNext({
      kind: 'held',
      until: new Promise((resolve) => {
        release = resolve;
      }),
    });
    await owe(WATERCOOLER, 'bender', 'slow');
    await become('sending');
    await clock.advance(30_000);
    await become('unknown');
    expect(outbox.rows()[0]?.reason).toBe('timeout');
    release();
    await eventually(() => expect(textsIn(WATERCOOLER)).toEqual(['slow']));
    await becomeInTime(60_000, 'sent');
    expect(textsIn(WATERCOOLER)).toEqual(['slow']);
  });

  it('has a reply of the same words as the last one all the same', async () => {
    await owe(WATERCOOLER, 'bender', 'Done.');
    await become('sent');
    double.failNext({ kind: 'reset', stored: false });
    await owe(WATERCOOLER, 'bender', 'Done.');
    await become('sent', 'unknown');
    await becomeInTime(60_000, 'sent', 'sent');
    expect(textsIn(WATERCOOLER)).toEqual(['Done.', 'Done.']);
  });

  it('is read past pages of other people’s messages, and though the last known message was deleted', async () => {
    await owe(WATERCOOLER, 'bender', 'first');
    await become('sent');
    const known = outbox.rows()[0]?.platformId ?? '';
    const mine = double.data.create(WATERCOOLER, BENDER, { html: 'mine' });
    for (let at = 0; at < 130; at += 1) double.data.create(WATERCOOLER, KEVIN, { html: `message ${at}` });
    const own = [{ platformId: String(mine.id), plainText: 'mine' }];
    expect(await campfire.readOwn(point.target, known)).toEqual(own);
    double.data.remove(Number(known));
    expect(await campfire.readOwn(point.target, known)).toEqual(own);
    expect(await campfire.readOwn({ ...point.target, botId: botId('flexo') }, null)).not.toEqual(own);
  });

  it('tells bots from people, and asks once', async () => {
    double.data.create(5, FLEXO, { html: 'beep' });
    double.data.create(5, KEVIN, { html: 'hi' });
    const target = { roomId: roomId(5), botId: botId('bender') };
    expect(await campfire.isBot(target, userId(FLEXO))).toBe(true);
    expect(await campfire.isBot(target, userId(KEVIN))).toBe(false);
    expect(await campfire.isBot(target, userId(FLEXO))).toBe(true);
    expect(await campfire.isBot(target, userId('nobody'))).toBe(null);
    expect(double.reads().length).toBeLessThanOrEqual(1);
    expect(await campfire.isBot(target, userId(999))).toBe(null);
  });

  it('tells administrators from everybody else who wrote', async () => {
    for (const user of [DAVID, KEVIN]) double.data.create(WATERCOOLER, user, { html: 'hi' });
    expect(await campfire.isAdministrator(point.target, userId(DAVID))).toBe(true);
    expect(await campfire.isAdministrator(point.target, userId(KEVIN))).toBe(false);
    expect(await campfire.isAdministrator(point.target, userId('nobody'))).toBe(null);
    expect(await campfire.isAdministrator(point.target, userId(999))).toBe(null);
  });
});

describe(UNREADABLE[0], () => {
  beforeEach(() => start(UNREADABLE[1]));

  it('may get a reply twice whose connection broke, never a third time, and it is marked and counted', async () => {
    double.failNext({ kind: 'reset', stored: true }, { kind: 'reset', stored: true });
    await owe(WATERCOOLER, 'bender', 'hello', 'next');
    await becomeInTime(120_000, 'buried', 'sent');
    expect(textsIn(WATERCOOLER)).toEqual(['hello', 'hello', 'next']);
    expect(outbox.rows()[0]).toMatchObject({ mayBeDouble: true, reason: 'unconfirmed' });
    expect((await metrics.mayBeDouble.get()).values[0]?.value).toBe(1);
  });

  it('says nothing about who is a bot, and is not asked for it again and again', async () => {
    expect(await campfire.isBot(point.target, userId(FLEXO))).toBe(null);
    expect(await campfire.isBot(point.target, userId(FLEXO))).toBe(null);
    expect(await campfire.isAdministrator(point.target, userId(KEVIN))).toBe(null);
    expect(double.reads()).toHaveLength(1);
    await clock.advance(600_000);
    expect(await campfire.isBot(point.target, userId(FLEXO))).toBe(null);
    expect(double.reads()).toHaveLength(2);
  });

  it('with a database that cannot be opened says so in the log', async () => {
    await sender.stop();
    await campfire.close();
    startServer('/nowhere/production.sqlite3');
    expect(await campfire.readOwn(point.target, null)).toBe('unreadable');
    expect(logged.join()).toContain('cannot be read');
  });
});

describe('a Campfire that is not there', () => {
  beforeEach(() => start({ version: 'newer', database: false }));

  it('leaves its replies owed, and nothing is known of it', async () => {
    const gone = await startCampfireDouble({ version: 'newer' });
    await gone.close();
    await sender.stop();
    await campfire.close();
    startServer(null, gone.url);
    await owe(WATERCOOLER, 'bender', 'hello');
    await become('owed');
    expect(outbox.rows()[0]?.reason).toBe('ECONNREFUSED');
    expect(await campfire.readOwn(point.target, null)).toBe('unreachable');
    expect(await campfire.isBot(point.target, userId(KEVIN))).toBe(null);
  });

  it('is told from one that does not let the bot read', async () => {
    expect(await campfire.readOwn({ ...point.target, roomId: roomId(SECRET) }, null)).toBe('unreadable');
    expect(await campfire.readOwn({ ...point.target, botId: botId('keyless') }, null)).toBe('unreadable');
    double.setDown({ kind: 'status', status: 200, headers: { 'content-type': 'text/html' }, body: 'hello' });
    expect(await campfire.readOwn(point.target, null)).toBe('unreachable');
  });
});
