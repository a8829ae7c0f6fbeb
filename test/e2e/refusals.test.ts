/** What the front door does not take: each is refused with nothing that Campfire would post, and leaves no trace. */
import { request as send } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type CampfireDouble, startCampfireDouble } from '../fixtures/campfire-double.ts';
import { BENDER_KEY, FLAT, FLEXO_KEY, fromCampfire, WEBHOOK_TOKEN } from '../fixtures/webhook-calls.ts';
import { makeBotsFolder, startServer, type TestServer } from './server.ts';

type Call = {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
};
type Answer = {
  readonly status: number;
  readonly type: string | undefined;
  readonly body: string;
  readonly reason: string | undefined;
};

const MOST_SENT = 64 * 1024;

/** As Campfire sends it: a connection of its own, a body of known length, any answer welcome. */
function call(
  server: TestServer,
  { path = '/webhook', method = 'POST', headers = {}, body }: Call,
): Promise<Answer> {
  const payload = typeof body === 'string' ? body : JSON.stringify(body ?? '');
  return new Promise((resolve, reject) => {
    const outgoing = send(
      server.url + path,
      {
        method,
        agent: false,
        headers: {
          'content-type': 'application/json',
          accept: '*/*',
          'content-length': Buffer.byteLength(payload),
          ...headers,
        },
      },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        incoming.on('end', () => {
          const { 'content-type': type, 'x-firekeeper-error': reason } = incoming.headers;
          resolve({ status: incoming.statusCode ?? 0, type, body: text, reason: reason?.toString() });
          outgoing.destroy();
        });
      },
    );
    outgoing.on('error', reject);
    if (method === 'GET') outgoing.end();
    else if (payload.length <= MOST_SENT) outgoing.end(payload);
    // The answer comes before the rest, and whoever goes on sending then finds the connection closed.
    else outgoing.write(payload.slice(0, MOST_SENT));
  });
}

const silent = (status: number, reason: string) => ({ status, reason, type: undefined, body: '' });

/** Neither a message accepted nor anything in a room; and the server is well. */
async function expectUntouched(server: TestServer): Promise<void> {
  expect(server.rows('SELECT count(*) AS count FROM inbox')).toEqual([{ count: 0 }]);
  expect(server.rows('SELECT count(*) AS count FROM room_messages')).toEqual([{ count: 0 }]);
  expect(server.rows('SELECT count(*) AS count FROM outbox')).toEqual([{ count: 0 }]);
  const health = await fetch(`${server.url}/health`);
  expect(await health.json()).toMatchObject({ status: 'healthy' });
}

describe('a server without a token', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ shared: true });
  });
  afterEach(() => expectUntouched(server));
  afterAll(() => server.end());

  const big = { ...FLAT, content: 'x'.repeat(12 * 1024 * 1024) };
  it.each<[string, Call, ReturnType<typeof silent>]>([
    ['malformed JSON', { body: '{"creator":' }, silent(400, 'not_json')],
    ['an empty body', { body: '' }, silent(400, 'not_json')],
    ['an array', { body: [FLAT] }, silent(400, 'not_an_object')],
    ['null', { body: 'null' }, silent(400, 'not_an_object')],
    ['a text', { body: '"hello"' }, silent(400, 'not_an_object')],
    ['a number', { body: '7' }, silent(400, 'not_an_object')],
    ['an empty object', { body: {} }, silent(422, 'invalid_fields')],
    ['no author', { body: { ...FLAT, creator: undefined } }, silent(422, 'invalid_fields')],
    ['no room', { body: { ...FLAT, room: undefined } }, silent(422, 'invalid_fields')],
    ['no text', { body: { ...FLAT, content: undefined } }, silent(422, 'invalid_fields')],
    ['a number for a text', { body: { ...FLAT, content: 7 } }, silent(422, 'invalid_fields')],
    ['an object for an id', { body: { ...FLAT, room: { id: {} } } }, silent(422, 'invalid_fields')],
    ['a list of rooms', { body: { ...FLAT, room: [FLAT.room] } }, silent(422, 'invalid_fields')],
    [
      'null for the body of a message',
      { body: fromCampfire({ message: { body: null } }) },
      silent(422, 'invalid_fields'),
    ],
    [
      "another room in the path than the room's",
      { body: fromCampfire({ room: { id: 8 } }) },
      silent(422, 'room_mismatch'),
    ],
    ['an unknown bot', { path: '/webhook/nobody', body: FLAT }, silent(404, 'unknown_bot')],
    [
      'an unknown bot in the query',
      { path: '/webhook?bot_id=nobody', body: FLAT },
      silent(404, 'unknown_bot'),
    ],
    ['a path as a bot', { path: '/webhook/..%2f..%2fetc%2fpasswd', body: FLAT }, silent(404, 'unknown_bot')],
    ['an address below a bot', { path: '/webhook/assistant/x', body: FLAT }, silent(404, 'not_found')],
    ['a GET', { method: 'GET' }, silent(405, 'method_not_allowed')],
    [
      'a form',
      { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=b' },
      silent(415, 'not_json_type'),
    ],
    ['plain text', { headers: { 'content-type': 'text/plain' }, body: FLAT }, silent(415, 'not_json_type')],
    ['twelve megabytes', { body: big }, silent(413, 'too_large')],
  ])('refuses %s', async (_name, request, expected) => {
    expect(await call(server, request)).toEqual(expected);
  });

  it.each<[string, Record<string, string>, ReturnType<typeof silent>]>([
    ['a request that was forwarded', { 'x-forwarded-for': '203.0.113.7' }, silent(401, 'not_local')],
    ['a request that says by which proxy it came', { via: '1.1 proxy' }, silent(401, 'not_local')],
    ['a request with a Forwarded header', { forwarded: 'for=203.0.113.7' }, silent(401, 'not_local')],
    ['a foreign host', { host: 'attacker.example' }, silent(403, 'foreign_host')],
    [
      'a host that only begins like ours',
      { host: '127.0.0.1.attacker.example' },
      silent(403, 'foreign_host'),
    ],
    ['a page of another origin', { origin: 'https://attacker.example' }, silent(403, 'foreign_origin')],
    ['a page of another port', { origin: 'http://127.0.0.1:1' }, silent(403, 'foreign_origin')],
    ['a page without an origin', { origin: 'null' }, silent(403, 'foreign_origin')],
    ['what a browser calls cross-site', { 'sec-fetch-site': 'cross-site' }, silent(403, 'foreign_origin')],
  ])('refuses %s', async (_name, headers, expected) => {
    expect(await call(server, { headers, body: FLAT })).toEqual(expected);
  });

  it.each([
    ['reading a room', 'GET', '/local/rooms/1/messages'],
    ['writing to a room', 'POST', '/local/rooms/1/messages'],
    ['looking at sessions', 'GET', '/session/stats'],
    ['forgetting all', 'POST', '/session/clear/all'],
    ['events', 'GET', '/api/events'],
    ['metrics', 'GET', '/metrics'],
  ])(
    'refuses %s to a page of another origin and to a foreign host, token or not',
    async (_name, method, path) => {
      const admin = { authorization: `Bearer ${server.adminToken}` };
      for (const headers of [{ origin: 'https://attacker.example' }, { host: 'attacker.example' }]) {
        expect((await call(server, { path, method, headers, body: { text: 'hi' } })).status).toBe(403);
        const withToken = { ...headers, ...admin };
        expect((await call(server, { path, method, headers: withToken, body: { text: 'hi' } })).status).toBe(
          403,
        );
      }
      expect((await call(server, { path, method, body: { text: 'hi' } })).status).toBe(401);
    },
  );

  it('says why in words only to a caller that asks for JSON', async () => {
    const answer = await call(server, { headers: { accept: 'application/json' }, body: '{' });
    expect(answer).toMatchObject({ status: 400, type: expect.stringContaining('application/problem+json') });
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'not_json', status: 400 });
  });
});

describe('a server beside a Campfire, with a token', () => {
  let server: TestServer;
  let campfire: CampfireDouble;
  beforeAll(async () => {
    campfire = await startCampfireDouble({ version: 'newer' });
    server = await startServer({
      shared: true,
      env: {
        CAMPFIRE_URL: campfire.url,
        WEBHOOK_TOKEN,
        OFFLINE_MODEL: 'on',
        BOTS_DIRS: makeBotsFolder(
          { bot_id: 'bender', bot_key: BENDER_KEY },
          { bot_id: 'flexo', bot_key: FLEXO_KEY },
        ),
      },
    });
    server.mayNotBeLogged(BENDER_KEY, FLEXO_KEY, FLAT.content);
  });
  afterEach(async () => {
    await expectUntouched(server);
    expect(campfire.posts()).toEqual([]);
  });
  afterAll(async () => {
    await server.end();
    await campfire.close();
  });

  const at = (path: string) => `${path}?token=${WEBHOOK_TOKEN}`;
  const noKey = { ...fromCampfire(), room: { id: 7, name: 'HQ' } };
  const strangeKey = fromCampfire({ key: '9-StrangeStran' });
  it.each<[string, Call, ReturnType<typeof silent>]>([
    ['no token', { body: fromCampfire() }, silent(401, 'wrong_token')],
    ['a wrong token', { path: '/webhook?token=wrong', body: fromCampfire() }, silent(401, 'wrong_token')],
    ['two tokens', { path: `${at('/webhook')}&token=x`, body: fromCampfire() }, silent(401, 'wrong_token')],
    [
      "the token's beginning",
      { path: `/webhook?token=${WEBHOOK_TOKEN.slice(0, -1)}`, body: fromCampfire() },
      silent(401, 'wrong_token'),
    ],
    [
      'the admin token for it',
      { headers: { authorization: 'Bearer whatever' }, body: FLAT },
      silent(401, 'wrong_token'),
    ],
    ['a wrong key', { path: at('/webhook/bender'), body: strangeKey }, silent(401, 'wrong_key')],
    ['no key', { path: at('/webhook/bender'), body: noKey }, silent(401, 'key_missing')],
    [
      "another bot's key",
      { path: at('/webhook/bender'), body: fromCampfire({ key: FLEXO_KEY }) },
      silent(403, 'foreign_key'),
    ],
    [
      'a key of nobody, and no bot named',
      { path: at('/webhook'), body: strangeKey },
      silent(404, 'no_default_bot'),
    ],
  ])('refuses %s', async (_name, request, expected) => {
    expect(await call(server, request)).toEqual(expected);
  });

  it('has no built-in room', async () => {
    const answer = await server.api('/local/rooms/1/messages');
    expect(answer.status).toBe(409);
  });
});
