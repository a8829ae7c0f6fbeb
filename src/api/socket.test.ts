import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { type AddressInfo, connect as dial } from 'node:net';
import { setImmediate as nextEventLoopTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ADMIN_TOKEN,
  AS_ADMIN,
  type DoorOptions,
  type Doors,
  makeBot,
  openDoors,
} from '../../test/fixtures/front-doors.ts';
import { type ConversationKey, chatName } from '../base/terms.ts';

const ROOM = 'builtin:7:bender' as ConversationKey;

let doors: Doors;
const clients: WebSocket[] = [];
beforeEach(() => open());
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await doors.close();
});

async function open(options: DoorOptions = {}): Promise<void> {
  doors = await openDoors(options);
  await doors.http.listen({ host: '127.0.0.1', port: 0 });
}
async function reopen(options: DoorOptions): Promise<void> {
  await doors.close();
  await open(options);
}

const port = () => (doors.http.server.address() as AddressInfo).port;

type Heard = { readonly type: string; readonly [field: string]: unknown };

/** A logged-in client; `heard` grows as it reads. */
async function connect(path = '/ws/7/bender', headers: Record<string, string> = AS_ADMIN) {
  const socket = new WebSocket(`ws://127.0.0.1:${port()}${path}`, { headers });
  clients.push(socket);
  const heard: Heard[] = [];
  let onHeard = Promise.withResolvers<void>();
  const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener('close', resolve));
  socket.addEventListener('message', ({ data }) => {
    heard.push(JSON.parse(data));
    onHeard.resolve();
    onHeard = Promise.withResolvers();
  });
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  return {
    heard,
    closed,
    send: (body: object | string) => socket.send(typeof body === 'string' ? body : JSON.stringify(body)),
    sendBytes: () => socket.send(new Uint8Array([1])),
    close: () => socket.close(),
    /** All that was heard, once there is so much. */
    async until(count: number): Promise<readonly Heard[]> {
      while (heard.length < count) await onHeard.promise;
      return heard;
    },
  };
}

/** The headers of this server's own page, of somebody who has logged in. */
async function asPage(): Promise<Record<string, string>> {
  const request = { method: 'POST', url: '/api/login', payload: { token: ADMIN_TOKEN } } as const;
  const cookie = String((await doors.http.inject(request)).headers['set-cookie']).split(';')[0] ?? '';
  return { cookie, origin: `http://127.0.0.1:${port()}` };
}

/** What a request to upgrade is answered before the server closes the connection. */
async function knock(path: string, headers: Record<string, string>) {
  const socket = dial(port(), '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString();
  });
  const all = { host: '127.0.0.1', connection: 'Upgrade', upgrade: 'websocket', ...KEY, ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  await once(socket, 'close');
  const [, status, code] = /^HTTP\/1\.1 (\d+) [\s\S]*"code":"(\w+)"/.exec(answer) ?? [];
  return { status: Number(status), code };
}
const KEY = { 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' };

describe('who is let in', () => {
  it.each([
    ['nobody without a login', '/ws/7/bender', {}, 401, 'login_required'],
    ['nobody with a wrong token', '/ws/7/bender', { authorization: 'Bearer x' }, 401, 'wrong_token'],
    ['no other page', '/ws/7/bender', { ...AS_ADMIN, origin: 'https://evil.example' }, 403, 'foreign_origin'],
    ['no rebound name', '/ws/7/bender', { ...AS_ADMIN, host: 'evil.example' }, 403, 'foreign_host'],
    ['nobody for a bot that is none', '/ws/7/nobody', AS_ADMIN, 404, 'unknown_bot'],
    ['nobody at another address', '/ws/7', AS_ADMIN, 404, 'not_found'],
  ])('%s, and the connection is closed', async (_title, path, headers, status, code) => {
    expect(await knock(path, headers)).toEqual({ status, code });
    expect(doors.clock.pending()).toBe(0);
  });

  it('a page of this server, by its login cookie', async () => {
    const client = await connect('/ws/7/bender', await asPage());
    client.send({});
    expect(await client.until(1)).toMatchObject([{ code: 'invalid_fields' }]);
  });

  it('nobody for longer than the login lasts, to listen or to speak', async () => {
    const page = await asPage();
    await doors.clock.advance(7 * 24 * 3_600_000 - 10_000);
    const [listener, speaker] = [await connect('/ws/7/bender', page), await connect('/ws/7/bender', page)];
    const byToken = await connect();
    await doors.clock.advance(10_000);
    speaker.send({ type: 'message', text: 'hi' });
    expect((await speaker.closed).code).toBe(1008);
    expect(doors.accepted).toEqual([]);
    await doors.clock.advance(5_000);
    expect((await listener.closed).code).toBe(1008);
    byToken.send({ type: 'message', text: 'hi' });
    expect(await byToken.until(1)).toMatchObject([{ type: 'message.accepted' }]);
  });

  it('whoever speaks plain HTTP is told what is spoken here', async () => {
    const answer = await doors.http.inject({ url: '/ws/7/bender', headers: AS_ADMIN });
    expect(answer.json()).toMatchObject({ status: 426, code: 'upgrade_required' });
    expect(answer.headers.upgrade).toBe('websocket');
    const head = await doors.http.inject({ method: 'HEAD', url: '/ws/7/bender', headers: AS_ADMIN });
    expect(head.statusCode).toBe(404);
  });

  it('a request for an upgrade elsewhere is answered like any other', async () => {
    const address = `http://127.0.0.1:${port()}/health`;
    const request = httpRequest(address, { headers: { Connection: 'Upgrade', Upgrade: 'websocket' } }).end();
    const [response] = await once(request, 'response');
    response.destroy();
    expect(response.statusCode).toBe(200);
  });

  it('64 clients at once', async () => {
    await Promise.all(Array.from({ length: 64 }, () => connect()));
    expect(await knock('/ws/7/bender', AS_ADMIN)).toEqual({ status: 503, code: 'too_many_listeners' });
  });
});

describe('what it tells', () => {
  it('the turns of its own conversation, as they run', async () => {
    const client = await connect();
    const delta = (conversation: string, text: string) =>
      doors.turnEvents.publish({ conversation: conversation as ConversationKey, type: 'text.delta', text });
    for (const other of ['builtin:70:bender', 'builtin:7:bender2', 'campfire:x:7:bender', 'builtin:8:bender'])
      delta(other, 'not for it');
    delta(ROOM, 'a\nb');
    delta('builtin:7:bender:u1', 'of one person');
    expect(await client.until(2)).toEqual([
      { conversation: ROOM, type: 'text.delta', text: 'a\nb' },
      { conversation: 'builtin:7:bender:u1', type: 'text.delta', text: 'of one person' },
    ]);
  });

  it('one person’s alone when asked', async () => {
    const client = await connect('/ws/7/bender?user=u1');
    for (const user of ['u2', 'u1', 'u11'])
      doors.turnEvents.publish({
        conversation: `builtin:7:bender:${user}` as ConversationKey,
        type: 'tool.started',
        name: user,
      });
    doors.turnEvents.publish({ conversation: ROOM, type: 'tool.started', name: 'room' });
    client.send({});
    expect(await client.until(2)).toMatchObject([{ name: 'u1' }, { type: 'error' }]);
  });
});

describe('what it takes', () => {
  it('a message, which goes the way of any other', async () => {
    const client = await connect();
    client.send({ type: 'message', text: 'hi', user: { id: 'u1', name: 'Ann' } });
    expect(await client.until(1)).toEqual([{ type: 'message.accepted', inbox_id: 1 }]);
    expect(doors.shown).toMatchObject([{ roomId: '7', plainText: 'hi', author: { name: 'Ann' } }]);
    expect(doors.accepted).toMatchObject([{ conversation: ROOM, messageId: 'local-1', userName: 'Ann' }]);
    expect(doors.woken).toEqual([ROOM]);
  });

  it('a message beside a Campfire, which shows nothing that we write', async () => {
    await reopen({ chat: chatName('campfire:1') });
    const client = await connect();
    client.send({ type: 'message', text: 'hi' });
    await client.until(1);
    expect(doors.shown).toEqual([]);
    expect(doors.accepted).toMatchObject([
      { conversation: 'campfire:1:7:bender', chat: 'campfire:1', messageId: null, userId: 'local' },
    ]);
  });

  it('an interrupt', async () => {
    const client = await connect();
    doors.running.add(ROOM);
    client.send({ type: 'interrupt' });
    client.send({ type: 'interrupt' });
    expect(await client.until(1)).toMatchObject([{ type: 'error', code: 'not_running' }]);
    expect(doors.running.size).toBe(0);
  });

  it('an interrupt of one person’s turn where the bot keeps people apart', async () => {
    await reopen({ bots: [makeBot({ sessionScope: 'user' })] });
    doors.running.add(`${ROOM}:u1` as ConversationKey);
    const anybody = await connect();
    anybody.send({ type: 'interrupt' });
    expect(await anybody.until(1)).toMatchObject([{ code: 'invalid_fields' }]);
    expect(doors.running.size).toBe(1);
    const one = await connect('/ws/7/bender?user=u1');
    one.send({ type: 'interrupt' });
    while (doors.running.size > 0) await nextEventLoopTurn();
  });

  it.each([
    ['no JSON', '{'],
    ['no type', {}],
    ['another type', { type: 'shutdown' }],
    ['a blank text', { type: 'message', text: ' ' }],
    ['a text of more than 100,000 characters', { type: 'message', text: 'x'.repeat(100_001) }],
    ['a user without a name', { type: 'message', text: 'hi', user: { id: 'u' } }],
  ])('not %s, and it says why', async (_title, body) => {
    const client = await connect();
    client.send(body);
    expect(await client.until(1)).toMatchObject([{ type: 'error', code: 'invalid_fields' }]);
    expect(doors.accepted).toEqual([]);
  });

  it('no more than 16 messages at once', async () => {
    await reopen({ accept: () => new Promise(() => {}) });
    const client = await connect();
    for (let i = 0; i < 17; i++) client.send({ type: 'message', text: 'hi' });
    expect(await client.until(1)).toMatchObject([{ type: 'error', code: 'too_many_messages' }]);
    await doors.clock.advance(3_000);
    expect((await client.until(17)).slice(1)).toEqual(
      Array.from({ length: 16 }, () => expect.objectContaining({ code: 'not_stored' })),
    );
  });

  it('no bytes and no frame larger than a request', async () => {
    const bytes = await connect();
    bytes.sendBytes();
    expect((await bytes.closed).code).toBe(1003);
    const large = await connect();
    large.send('x'.repeat(1024 * 1024 + 1));
    await large.closed;
    expect(large.heard).toEqual([]);
  });
});

describe('how it ends', () => {
  it('leaves nothing behind when the client goes', async () => {
    const client = await connect();
    expect(doors.clock.pending()).toBe(1);
    client.close();
    while (doors.clock.pending() > 0) await nextEventLoopTurn();
  });

  it('lasts while the client is there, and ends when it has gone without a word', async () => {
    const client = await connect();
    for (let beats = 0; beats < 3; beats++) {
      await doors.clock.advance(15_000);
      // The answer to a ping comes by itself; one of ours shows that it has come.
      client.send({});
      await client.until(beats + 1);
    }
    const [socket] = doors.http.websocketServer.clients;
    socket.pause();
    await doors.clock.advance(30_000);
    await client.closed;
    expect(doors.clock.pending()).toBe(0);
  });

  it('drops a client that does not read', async () => {
    const client = await connect();
    const [socket] = doors.http.websocketServer.clients;
    Object.defineProperty(socket, 'bufferedAmount', { value: 1024 * 1024 + 1 });
    doors.turnEvents.publish({ conversation: ROOM, type: 'text.delta', text: 'x' });
    await client.closed;
    expect(client.heard).toEqual([]);
  });

  it('says goodbye when the server closes', async () => {
    const client = await connect();
    await doors.http.close();
    expect((await client.closed).code).toBe(1001);
  });

  it('does not wait for a client that says nothing when the server closes', async () => {
    await connect();
    const [socket] = doors.http.websocketServer.clients;
    socket.pause();
    const closing = doors.http.close();
    await doors.clock.advance(1_000);
    await closing;
  });
});
