import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type CampfireVersion,
  mentionOf,
  startCampfireDouble,
} from '../../../test/fixtures/campfire-double.ts';
import { systemClock } from '../../base/clock.ts';
import { botId, chatName, roomId } from '../../base/terms.ts';
import { makeLog } from '../../telemetry/log.ts';
import { parsePayload } from '../../webhook/payload.ts';
import { closeGaps } from '../../webhook/text.ts';
import type { Heard, HeardMessage } from '../chat.ts';
import { makeCampfire } from './campfire.ts';

const BENDER = { id: 3, key: '3-E67JcbkeECRn' };
const FLEXO = { id: 4, key: '4-PA3QbMzANtHZ' };
const [HQ, WATERCOOLER, SECRET, WITH_KEVIN, WITH_BOTH_BOTS] = [1, 2, 3, 4, 5] as const;
const [DAVID, KEVIN] = [1, 2] as const;
const ROOMS = [
  { roomId: roomId(HQ), roomName: 'HQ' },
  { roomId: roomId(WATERCOOLER), roomName: 'Watercooler ☕ <b>' },
  { roomId: roomId(SECRET), roomName: 'Secret' },
  { roomId: roomId(WITH_KEVIN), roomName: null },
  { roomId: roomId(WITH_BOTH_BOTS), roomName: null },
];

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A bot's Campfire; `database`: its file can be read too. */
async function open(setup: { version: CampfireVersion; database: boolean; history?: boolean }) {
  const double = await startCampfireDouble({ version: setup.version, history: setup.history ?? false });
  const keys: Record<string, string | null> = { bender: BENDER.key, flexo: FLEXO.key, stranger: null };
  const chat = makeCampfire({
    baseUrl: double.url,
    name: chatName('campfire:test'),
    keyOf: async (bot) => keys[bot] ?? null,
    ...(setup.database ? { databasePath: double.databasePath } : {}),
    clock: systemClock,
    log: makeLog({ level: 'silent', pretty: false }),
  });
  double.data.setWebhook(BENDER.id, 'http://127.0.0.1:9/');
  double.data.setWebhook(FLEXO.id, 'http://127.0.0.1:9/');
  closers.push(chat.close, double.close);
  const heard = (bot = 'bender', since = 0, rooms: typeof ROOMS = ROOMS): Promise<Heard> =>
    chat.heard({ botId: botId(bot), since, rooms });
  return { double, heard, keys };
}

function messagesOf(heard: Heard): readonly HeardMessage[] {
  if (heard.kind === 'unreadable') throw new Error('nothing could be read');
  expect(heard.isWhole).toBe(true);
  return heard.messages;
}

const READABLE = [
  ['a newer Campfire', { version: 'newer', database: false }],
  ['the released Campfire with its database', { version: 'released', database: true }],
  ['a newer Campfire with its database', { version: 'newer', database: true }],
] as const;

describe.each(READABLE)('%s', (_name, setup) => {
  it('tells a bot of each mention, and of everything in direct rooms, in the order in which it was said', async () => {
    const { double, heard } = await open(setup);
    const { data } = double;
    const said = [
      data.create(WATERCOOLER, KEVIN, { html: `<div>${mentionOf(BENDER.id)} one</div>` }),
      data.create(WITH_KEVIN, KEVIN, { html: '<div>two</div>' }),
      data.create(HQ, DAVID, {
        html: `<div>three, ${mentionOf(FLEXO.id)} and ${mentionOf(BENDER.id)}</div>`,
      }),
      data.create(WITH_KEVIN, KEVIN, { file: 'four.pdf' }),
      data.create(WITH_BOTH_BOTS, FLEXO.id, { html: 'five, from a bot' }),
    ];
    data.create(HQ, KEVIN, { html: '<div>@Bender Bot typed, not picked</div>' });
    data.create(HQ, KEVIN, { html: `<div>${mentionOf(FLEXO.id)} not you</div>` });
    data.create(HQ, BENDER.id, { html: `I am ${mentionOf(BENDER.id)}` });
    data.create(WITH_KEVIN, BENDER.id, { html: 'my own answer' });
    data.create(SECRET, DAVID, { html: `<div>${mentionOf(BENDER.id)} where you are not</div>` });

    const messages = messagesOf(await heard());
    expect(messages.map(({ messageId }) => messageId)).toEqual(said.map(({ id }) => String(id)));
    expect(messages.map(({ roomId: room, roomName }) => [room, roomName])).toEqual([
      ['2', 'Watercooler ☕ <b>'],
      ['4', null],
      ['1', 'HQ'],
      ['4', null],
      ['5', null],
    ]);
    expect(messages[0]).toMatchObject({ userId: '2', userName: 'Kevin O’Brien', plain: 'one' });
    expect(messages.map(({ sentAt }) => sentAt)).toEqual(said.map(({ createdAt }) => Date.parse(createdAt)));
  });

  it('says word for word what the webhook said, so that nothing is taken for new', async () => {
    const { double, heard } = await open({ ...setup, history: true });
    const recorded: readonly { readonly name: string; readonly body: string }[] = JSON.parse(
      readFileSync(new URL('../../../test/fixtures/campfire/webhooks.json', import.meta.url), 'utf8'),
    );
    for (const [bot, key] of [
      ['bender', BENDER.key],
      ['flexo', FLEXO.key],
    ] as const) {
      const messages = messagesOf(await heard(bot));
      const texts = new Map(
        messages.map((message) => [message.messageId, closeGaps(message.plain, message.mentions)]),
      );
      const sent = recorded
        .filter(({ body }) => body.includes(`/${key}/`))
        .map(({ name, body }) => ({ name, payload: parsePayload(JSON.parse(body)) }));
      expect(sent.length).toBeGreaterThan(1);
      for (const { name, payload } of sent) {
        if (typeof payload === 'string' || payload.messageId === null)
          throw new Error(`${name} is no payload`);
        expect([name, texts.get(payload.messageId)]).toEqual([name, payload.text]);
      }
    }
    expect(double.webhookPosts()).toEqual([]);
  });

  it('looks back as far as it is asked and no further', async () => {
    const { double, heard } = await open(setup);
    const posts = Array.from({ length: 90 }, (_, n) =>
      double.data.create(WITH_KEVIN, KEVIN, { html: `number ${n}` }),
    );
    const since = Date.parse(posts[30]?.createdAt ?? '');
    const messages = messagesOf(await heard('bender', since));
    expect(messages.map(({ messageId }) => messageId)).toEqual(posts.slice(30).map(({ id }) => String(id)));
  });

  it('reads the newest four hundred at most', async () => {
    const { double, heard } = await open(setup);
    const posts = Array.from({ length: 410 }, (_, n) =>
      double.data.create(WITH_KEVIN, KEVIN, { html: `number ${n}` }),
    );
    const messages = messagesOf(await heard());
    expect(messages.map(({ messageId }) => messageId)).toEqual(posts.slice(10).map(({ id }) => String(id)));
  });

  it('leaves out what is in a room that the bot has left', async () => {
    const { double, heard } = await open(setup);
    double.data.create(WATERCOOLER, KEVIN, { html: `${mentionOf(BENDER.id)} hello` });
    double.data.removeMember(WATERCOOLER, BENDER.id);
    expect(messagesOf(await heard())).toEqual([]);
  });

  it('has nothing for a bot without a key', async () => {
    const { double, heard } = await open(setup);
    double.data.create(WITH_KEVIN, KEVIN, { html: 'hello' });
    expect(await heard('stranger')).toEqual({ kind: 'read', messages: [], isWhole: true });
  });
});

it('only the database knows of rooms that the bot was never heard in', async () => {
  const listed = await open({ version: 'newer', database: false });
  listed.double.data.create(WITH_KEVIN, KEVIN, { html: 'hello' });
  expect(messagesOf(await listed.heard('bender', 0, []))).toEqual([]);
  const stored = await open({ version: 'released', database: true });
  stored.double.data.create(WITH_KEVIN, KEVIN, { html: 'hello' });
  expect(messagesOf(await stored.heard('bender', 0, []))).toMatchObject([{ plain: 'hello' }]);
});

it('the database leaves a bot alone whose webhook was taken away', async () => {
  const { double, heard } = await open({ version: 'released', database: true });
  double.data.create(WITH_KEVIN, KEVIN, { html: 'hello' });
  double.data.setWebhook(BENDER.id, '');
  expect(messagesOf(await heard())).toHaveLength(1);
  double.data.removeWebhooks();
  expect(messagesOf(await heard())).toEqual([]);
});

it('the released Campfire alone cannot be read, and says so before the bot was ever heard', async () => {
  const { heard } = await open({ version: 'released', database: false });
  expect(await heard()).toEqual({ kind: 'unreadable' });
  expect(await heard('bender', 0, [])).toEqual({ kind: 'unreadable' });
});

it('a Campfire that is down is to be asked again', async () => {
  const { double, heard } = await open({ version: 'newer', database: false });
  double.data.create(WITH_KEVIN, KEVIN, { html: 'hello' });
  double.setDown({ kind: 'status', status: 503 });
  expect(await heard()).toEqual({ kind: 'read', messages: [], isWhole: false });
  double.setDown(null);
  expect(messagesOf(await heard())).toHaveLength(1);
});

it('a key that was changed in Campfire opens no room', async () => {
  const { double, heard } = await open({ version: 'newer', database: false });
  double.data.create(WITH_KEVIN, KEVIN, { html: 'hello' });
  double.data.rotateKey(BENDER.id, 'AAAAAAAAAAAA');
  expect(messagesOf(await heard())).toEqual([]);
});
