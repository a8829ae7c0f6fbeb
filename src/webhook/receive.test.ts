import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { type DoorOptions, type Doors, makeBot, openDoors } from '../../test/fixtures/front-doors.ts';
import {
  BENDER_KEY,
  bender,
  CAMPFIRE,
  FLAT,
  FLEXO_KEY,
  fromCampfire,
  keyless,
  postWebhook as post,
  SERVER,
  WEBHOOK_TOKEN,
} from '../../test/fixtures/webhook-calls.ts';
import type { InboxId } from '../base/terms.ts';
import type { AcceptOutcome } from '../inbox/inbox.ts';

const opened: Doors[] = [];
async function open(options: DoorOptions = {}): Promise<Doors> {
  const doors = await openDoors(options);
  opened.push(doors);
  return doors;
}
afterEach(async () => {
  for (const doors of opened.splice(0)) await doors.close();
});

describe('what a real Campfire sent', () => {
  const recorded: readonly { name: string; path: string; body: string }[] = JSON.parse(
    readFileSync(new URL('../../test/fixtures/campfire/webhooks.json', import.meta.url), 'utf8'),
  );

  it.each(recorded.map((webhook, i) => ({ i, ...webhook })))('$i $name', async ({ body }) => {
    const doors = await open(SERVER);
    const sent = JSON.parse(body);
    const answer = await post(doors, body);
    expect(answer.statusCode).toBe(200);
    expect(doors.accepted).toHaveLength(1);
    expect(doors.accepted[0]).toMatchObject({
      chat: CAMPFIRE,
      botId: sent.room.path.includes(BENDER_KEY) ? 'bender' : 'flexo',
      roomId: String(sent.room.id),
      roomName: sent.room.name,
      userId: String(sent.user.id),
      userName: sent.user.name,
      messageId: String(sent.message.id),
    });
    const text = doors.accepted[0]?.text;
    expect(text?.replaceAll(' ', '')).toBe(sent.message.body.plain.replaceAll(' ', ''));
  });

  it('reads "please  summarise" as it was meant', async () => {
    const doors = await open(SERVER);
    await post(doors, recorded.find(({ name }) => name === 'mention-in-the-middle')?.body);
    expect(doors.accepted[0]?.text).toBe('please summarise the thread');
  });

  it("keeps the bot's key out of what is stored and of what is logged", async () => {
    const doors = await open({ ...SERVER, bots: [keyless] });
    for (const { body } of recorded) await post(doors, body, { url: '/webhook/keyless' });
    await post(doors, recorded[0]?.body, { url: '/webhook/nobody' });
    const written = JSON.stringify([doors.accepted, doors.shown, doors.logged]);
    expect(written).not.toContain(BENDER_KEY);
    expect(written).not.toContain(FLEXO_KEY);
    expect(doors.logged.join()).not.toContain('Kevin');
  });
});

describe('a webhook that is taken', () => {
  it('is answered 200 with no body and no Content-Type, after the message was stored', async () => {
    const doors = await open(SERVER);
    const answer = await post(doors, fromCampfire());
    expect(answer.statusCode).toBe(200);
    expect(answer.body).toBe('');
    expect(answer.headers).not.toHaveProperty('content-type');
    expect(doors.woken).toEqual(['campfire:1:7:bender']);
  });

  it('stays empty for a caller that asks for JSON', async () => {
    const answer = await post(await open(SERVER), fromCampfire(), {
      headers: { accept: 'application/json' },
    });
    expect([answer.statusCode, answer.body, answer.headers['content-type']]).toEqual([200, '', undefined]);
  });

  it('is accepted once, however often and however fast it comes', async () => {
    const doors = await open(SERVER);
    const answers = await Promise.all(Array.from({ length: 50 }, () => post(doors, fromCampfire())));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(50).fill(200));
    expect(doors.accepted).toHaveLength(1);
    expect(doors.woken).toHaveLength(1);
    const counted = (await doors.metrics.webhooks.get()).values;
    expect(counted.map(({ labels, value }) => [labels.reason, value])).toEqual([
      ['accepted', 1],
      ['duplicate', 49],
    ]);
  });

  it('may be a mention without a text', async () => {
    const doors = await open(SERVER);
    await post(doors, fromCampfire({ message: { body: { plain: '', html: null } } }));
    expect(doors.accepted[0]?.text).toBe('');
  });

  it('belongs to the room, or to the person in it when the bot says so', async () => {
    const personal = makeBot({ ...bender, sessionScope: 'user' });
    const doors = await open({ ...SERVER, bots: [personal] });
    await post(doors, fromCampfire());
    expect(doors.accepted[0]?.conversation).toBe('campfire:1:7:bender:2');
  });

  it('counts a message id that came back with another text', async () => {
    const reused: AcceptOutcome = { kind: 'accepted', id: 1 as InboxId, idReused: true };
    const doors = await open({ ...SERVER, accept: async () => reused });
    await post(doors, fromCampfire());
    expect((await doors.metrics.messageIdsReused.get()).values[0]?.value).toBe(1);
  });

  it.each([
    ['/webhook', FLEXO_KEY, 'flexo'],
    ['/webhook/flexo', FLEXO_KEY, 'flexo'],
    ['/webhook/flexo/', FLEXO_KEY, 'flexo'],
    ['/webhook?bot_id=flexo', FLEXO_KEY, 'flexo'],
    ['/webhook/keyless?bot_id=flexo', '9-new', 'keyless'],
    ['/webhook', BENDER_KEY, 'bender'],
  ])('to %s with the key %s is for %s', async (url, key, bot) => {
    const doors = await open(SERVER);
    await post(doors, fromCampfire({ key }), { url });
    expect(doors.accepted.map(({ botId }) => botId)).toEqual([bot]);
  });

  it('without any name is for the bot of BOT_KEY', async () => {
    const doors = await open({ ...SERVER, webhookToken: WEBHOOK_TOKEN, envBotKey: FLEXO_KEY });
    await post(doors, FLAT, { url: `/webhook?token=${WEBHOOK_TOKEN}` });
    expect(doors.accepted[0]?.botId).toBe('flexo');
  });

  it('teaches the key of a bot that has none configured, and the next one finds it by that key', async () => {
    const doors = await open(SERVER);
    await post(doors, fromCampfire({ key: '8-keyless' }), { url: '/webhook/keyless' });
    expect([...doors.learnedKeys]).toEqual([['campfire:1 keyless', '8-keyless']]);
    await post(doors, fromCampfire({ key: '8-keyless', message: { id: 10 } }));
    expect(doors.accepted.map(({ botId }) => botId)).toEqual(['keyless', 'keyless']);
  });

  it('says where a bot of Campfire is, and a direct room has no name', async () => {
    const doors = await open({ ...SERVER, webhookToken: WEBHOOK_TOKEN });
    const url = `/webhook?token=${WEBHOOK_TOKEN}`;
    await post(doors, fromCampfire(), { url });
    await post(doors, fromCampfire({ room: { name: null }, message: { id: 10 } }), { url });
    expect([...doors.notedRooms]).toEqual([['bender 7', null]]);
    await post(doors, { ...FLAT, room: { id: 8 } }, { url });
    expect(doors.notedRooms.size).toBe(1);
  });

  it('teaches nothing when it is refused', async () => {
    const doors = await open({ ...SERVER, webhookToken: WEBHOOK_TOKEN });
    await post(doors, fromCampfire({ key: '8-keyless' }), { url: '/webhook/keyless?token=wrong' });
    expect(doors.learnedKeys.size).toBe(0);
  });
});

describe('the built-in room', () => {
  it('shows what came by webhook as plain characters, once', async () => {
    const doors = await open();
    await post(doors, { ...FLAT, id: 1, content: 'a <b> & c\nd' });
    await post(doors, { ...FLAT, id: 1, content: 'a <b> & c\nd' });
    expect(doors.shown).toMatchObject([
      {
        roomId: '7',
        author: { id: '1', name: 'Cron', isBot: false },
        html: 'a &lt;b&gt; &amp; c<br>d',
        plainText: 'a <b> & c\nd',
      },
    ]);
  });

  it('answers 200 even when it cannot show what was accepted', async () => {
    const rooms = {
      add: () => Promise.reject(new Error('full')),
      list: async () => [],
    };
    const doors = await open({ rooms });
    expect((await post(doors, FLAT)).statusCode).toBe(200);
    expect(doors.woken).toHaveLength(1);
    expect(doors.logged).toHaveLength(1);
  });

  it('is no part of a Campfire', async () => {
    const doors = await open(SERVER);
    await post(doors, fromCampfire());
    expect(doors.shown).toEqual([]);
  });
});
