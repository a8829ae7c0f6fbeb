import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setImmediate as nextEventLoopTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN, AS_ADMIN, type Doors, openDoors } from '../../test/fixtures/front-doors.ts';
import { botId, type ConversationKey, roomId, type SessionId } from '../base/terms.ts';

const KEY = 'builtin:7:bender' as ConversationKey;

let doors: Doors;
const sockets: Socket[] = [];
beforeEach(async () => {
  doors = await openDoors();
  await doors.http.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await doors.close();
});

/** A client of the event stream; `heard` grows as it reads. */
async function listen(credential = `Authorization: Bearer ${ADMIN_TOKEN}`) {
  const socket = connect((doors.http.server.address() as AddressInfo).port, '127.0.0.1');
  sockets.push(socket);
  const client = { socket, heard: '', until, closed: once(socket, 'close') };
  socket.on('data', (chunk) => {
    client.heard += chunk.toString();
  });
  socket.on('error', () => {});
  socket.write(`GET /api/events HTTP/1.1\r\nHost: localhost\r\n${credential}\r\n\r\n`);
  return client;

  async function until(text: string): Promise<string> {
    while (!client.heard.includes(text)) await once(socket, 'data');
    return client.heard;
  }
}

describe('GET /api/events', () => {
  it('tells what happens, by type, as it happens', async () => {
    const client = await listen();
    const head = await client.until(': listening');
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(head.toLowerCase()).toContain('content-type: text/event-stream');
    expect(head.toLowerCase()).toContain('cache-control: no-store');

    doors.turnEvents.publish({ conversation: KEY, type: 'text.delta', text: 'a\nb' });
    const heard = await client.until('text.delta"');
    expect(heard).toContain(
      `event: text.delta\ndata: {"conversation":"${KEY}","type":"text.delta","text":"a\\nb"}\n\n`,
    );
  });

  it('tells a finished turn in the words of /api/turns', async () => {
    const client = await listen();
    await client.until(': listening');
    doors.turnEvents.publish({
      conversation: KEY,
      type: 'turn.finished',
      outcome: 'answered',
      turn: {
        conversation: KEY,
        botId: botId('bender'),
        sessionId: 'a' as SessionId,
        inboxIds: [],
        tier: 'cold',
        start: 'new',
        reason: '',
        outcome: 'answered',
        attempt: 1,
        endedAt: 0,
        waitedMs: 0,
        openedMs: 0,
        firstTextMs: 5,
        answeredMs: 9,
      },
    });
    expect(await client.until('answered_ms')).toMatch(/event: turn\.finished\ndata: .*"first_text_ms":5/);
  });

  it('tells new messages of the built-in room', async () => {
    const client = await listen();
    await client.until(': listening');
    doors.roomEvents.publish({
      id: 3,
      roomId: roomId('lobby'),
      author: { id: 'bender', name: 'Bender', isBot: true },
      html: '<p>hi</p>',
      plainText: 'hi',
      createdAt: 0,
    });
    const heard = await client.until('created_at');
    expect(heard).toContain(
      'event: room.message\ndata: {"type":"room.message","room_id":"lobby","message":{"id":3,',
    );
  });

  it('has a heartbeat', async () => {
    const client = await listen();
    await client.until(': listening');
    await doors.clock.advance(15_000);
    await client.until(': still here');
  });

  it('leaves nothing behind when the client goes', async () => {
    const client = await listen();
    await client.until(': listening');
    expect(doors.clock.pending()).toBe(1);
    client.socket.destroy();
    while (doors.clock.pending() > 0) await nextEventLoopTurn();
  });

  it('drops a client that does not read', async () => {
    const client = await listen();
    await client.until(': listening');
    client.socket.pause();
    const text = 'x'.repeat(64 * 1024);
    // The kernel takes some megabytes off our hands before the client's slowness shows.
    for (let i = 0; i < 1_000 && doors.clock.pending() > 0; i++) {
      doors.turnEvents.publish({ conversation: KEY, type: 'text.delta', text });
      await nextEventLoopTurn();
    }
    expect(doors.clock.pending()).toBe(0);
    client.socket.resume();
    await client.closed;
  });

  it('has room for 64 clients', async () => {
    const clients = await Promise.all(Array.from({ length: 64 }, () => listen()));
    await Promise.all(clients.map((client) => client.until(': listening')));
    const oneMore = await listen();
    expect(await oneMore.until('too_many_listeners')).toMatch(/^HTTP\/1\.1 503 /);
  });

  it('is no answer to a HEAD', async () => {
    const request = {
      method: 'HEAD',
      url: '/api/events',
      headers: { ...AS_ADMIN, host: 'localhost' },
    } as const;
    expect((await doors.http.inject(request)).statusCode).toBe(404);
    expect(doors.clock.pending()).toBe(0);
  });

  it('ends with the login that opened it', async () => {
    const logIn = { method: 'POST', url: '/api/login', payload: { token: ADMIN_TOKEN } } as const;
    const cookie = String((await doors.http.inject(logIn)).headers['set-cookie']).split(';')[0];
    await doors.clock.advance(7 * 24 * 3_600_000 - 20_000);
    const [page, byToken] = [await listen(`Cookie: ${cookie}`), await listen()];
    for (const client of [page, byToken]) await client.until(': listening');
    await doors.clock.advance(15_000);
    await page.until(': still here');
    await doors.clock.advance(15_000);
    await page.until('0\r\n\r\n');
    doors.turnEvents.publish({ conversation: KEY, type: 'text.delta', text: 'later' });
    await byToken.until('later');
    expect(page.heard).not.toContain('later');
  });

  it('ends when the server closes', async () => {
    const client = await listen();
    await client.until(': listening');
    await doors.http.close();
    await client.closed;
    expect(client.heard).toMatch(/0\r\n\r\n$/);
  });
});
