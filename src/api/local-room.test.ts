import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AS_ADMIN,
  type DoorOptions,
  type Doors,
  makeBot,
  openDoors,
} from '../../test/fixtures/front-doors.ts';
import { botId, chatName } from '../base/terms.ts';

let doors: Doors;
beforeEach(async () => {
  doors = await openDoors();
});
afterEach(() => doors.close());

async function reopen(options: DoorOptions): Promise<void> {
  await doors.close();
  doors = await openDoors(options);
}

const URL = '/local/rooms/lobby/messages';
function write(payload: object, url = URL) {
  return doors.http.inject({ method: 'POST', url, headers: AS_ADMIN, payload });
}
function read(query = '') {
  return doors.http.inject({ url: URL + query, headers: AS_ADMIN });
}

describe('writing in the built-in room', () => {
  it('shows the message and takes it the way of a webhook', async () => {
    const answer = await write({ bot_id: 'bender', text: 'hi <b>\nyou', user: { id: 'u1', name: 'Ann' } });
    expect(answer.statusCode).toBe(202);
    expect(answer.json()).toEqual({
      message: {
        id: 1,
        author: { id: 'u1', name: 'Ann', is_bot: false },
        html: 'hi &lt;b&gt;<br>you',
        text: 'hi <b>\nyou',
        created_at: '2026-01-01T00:00:00.000Z',
      },
    });
    expect(doors.accepted).toEqual([
      {
        conversation: 'builtin:lobby:bender',
        chat: 'builtin',
        roomId: 'lobby',
        roomName: null,
        botId: 'bender',
        userId: 'u1',
        userName: 'Ann',
        messageId: 'local-1',
        text: 'hi <b>\nyou',
        receivedAt: doors.clock.now(),
      },
    ]);
    expect(doors.woken).toEqual(['builtin:lobby:bender']);
  });

  it('goes to the default bot, from somebody here, when nobody says otherwise', async () => {
    await write({ text: 'hi' });
    expect(doors.accepted[0]).toMatchObject({ botId: 'bender', userId: 'local' });
  });

  it('is a conversation of each person where the bot keeps them apart', async () => {
    await reopen({ bots: [makeBot({ isDefault: true, sessionScope: 'user' })] });
    await write({ text: 'hi', user: { id: 'u1', name: 'Ann' } });
    expect(doors.woken).toEqual(['builtin:lobby:bender:u1']);
  });

  it.each([
    ['no text', {}],
    ['a blank text', { text: ' \n ' }],
    ['a text of a million characters', { text: 'x'.repeat(100_001) }],
    ['a user without a name', { text: 'hi', user: { id: 'u' } }],
    ['a user whose id is empty', { text: 'hi', user: { id: '', name: 'Ann' } }],
  ])('refuses %s', async (_title, body) => {
    expect((await write(body)).json()).toMatchObject({ status: 422, code: 'invalid_fields' });
    expect(doors.shown).toEqual([]);
  });

  it('refuses a bot that nobody has, and a choice that nobody made', async () => {
    await reopen({ bots: [makeBot(), makeBot({ id: botId('flexo') })] });
    expect((await write({ text: 'hi', bot_id: 'x' })).json()).toMatchObject({
      status: 404,
      code: 'unknown_bot',
    });
    expect((await write({ text: 'hi' })).json()).toMatchObject({ status: 404, code: 'no_default_bot' });
  });

  it('says so when the message cannot be stored', async () => {
    await reopen({ accept: () => Promise.reject(new Error('locked')) });
    const answer = await write({ text: 'hi' });
    expect(answer.json()).toMatchObject({ status: 503, code: 'not_stored' });
    expect(answer.headers['retry-after']).toBe('5');
    expect(doors.woken).toEqual([]);
  });

  it('says so after three seconds when the database does not answer', async () => {
    await reopen({ accept: () => new Promise(() => {}) });
    const answering = write({ text: 'hi' });
    await doors.clock.advance(3_000);
    expect((await answering).statusCode).toBe(503);
  });
});

describe('reading the built-in room', () => {
  it('gives its messages, oldest first, after one that is known', async () => {
    for (const text of ['one', 'two', 'three']) await write({ text });
    await write({ text: 'elsewhere' }, '/local/rooms/other/messages');
    const texts = async (query: string) =>
      (await read(query)).json().messages.map(({ text }: { text: string }) => text);
    expect(await texts('')).toEqual(['one', 'two', 'three']);
    expect(await texts('?after=1&limit=1')).toEqual(['two']);
    expect((await read('?limit=1000')).statusCode).toBe(422);
  });
});

it('there is no built-in room beside a Campfire', async () => {
  await reopen({ chat: chatName('campfire:1') });
  expect((await write({ text: 'hi' })).json()).toMatchObject({ status: 409, code: 'not_builtin' });
  expect((await read()).json()).toMatchObject({ status: 409, code: 'not_builtin' });
  expect(doors.accepted).toEqual([]);
});
