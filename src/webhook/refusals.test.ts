import type { InjectOptions } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { type DoorOptions, type Doors, openDoors } from '../../test/fixtures/front-doors.ts';
import {
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

type Refused = {
  readonly title: string;
  readonly options?: DoorOptions;
  readonly body?: unknown;
  readonly request?: InjectOptions;
  readonly status: number;
  readonly code: string;
};

const REFUSED: readonly Refused[] = [
  { title: 'a body that is no JSON', body: '{"user":', status: 400, code: 'not_json' },
  { title: 'an empty body', body: '', status: 400, code: 'not_json' },
  { title: 'a list', body: [], status: 400, code: 'not_an_object' },
  { title: 'null', body: 'null', status: 400, code: 'not_an_object' },
  { title: 'a poisoned prototype', body: '{"__proto__":{"admin":true}}', status: 400, code: 'not_json' },
  { title: 'an address that is none', request: { url: '/webhook/%' }, status: 400, code: 'bad_request' },
  {
    title: 'a missing token',
    options: { ...SERVER, webhookToken: WEBHOOK_TOKEN },
    status: 401,
    code: 'wrong_token',
  },
  {
    title: 'a wrong token',
    options: { ...SERVER, webhookToken: WEBHOOK_TOKEN },
    request: { url: '/webhook?token=no' },
    status: 401,
    code: 'wrong_token',
  },
  {
    title: 'two tokens',
    options: { ...SERVER, webhookToken: WEBHOOK_TOKEN },
    request: { url: `/webhook?token=${WEBHOOK_TOKEN}&token=${WEBHOOK_TOKEN}` },
    status: 401,
    code: 'wrong_token',
  },
  {
    title: 'another machine without a token',
    request: { remoteAddress: '192.168.1.7' },
    status: 401,
    code: 'not_local',
  },
  {
    title: 'a reverse proxy without a token',
    request: { headers: { 'x-forwarded-for': '203.0.113.9' } },
    status: 401,
    code: 'not_local',
  },
  {
    title: 'the flat shape from nobody we know',
    body: FLAT,
    status: 401,
    code: 'token_required',
  },
  {
    title: 'a payload without the key that is configured',
    body: fromCampfire({ room: { path: undefined } }),
    status: 401,
    code: 'key_missing',
  },
  { title: 'a key of nobody', body: fromCampfire({ key: '3-wrong' }), status: 401, code: 'wrong_key' },
  {
    title: "another bot's key",
    body: fromCampfire({ key: FLEXO_KEY }),
    request: { url: '/webhook/bender' },
    status: 403,
    code: 'foreign_key',
  },
  {
    title: "another bot's key for a bot without one",
    body: fromCampfire({ key: FLEXO_KEY }),
    request: { url: '/webhook/keyless' },
    status: 403,
    code: 'foreign_key',
  },
  {
    title: 'a foreign Host',
    request: { headers: { host: 'rebound.example:80' } },
    status: 403,
    code: 'foreign_host',
  },
  {
    title: 'a page of another origin',
    request: { headers: { origin: 'https://evil.example' } },
    status: 403,
    code: 'foreign_origin',
  },
  {
    title: 'a page of another site',
    request: { headers: { 'sec-fetch-site': 'cross-site' } },
    status: 403,
    code: 'foreign_origin',
  },
  {
    title: 'a page of another port of this host',
    request: { headers: { 'sec-fetch-site': 'same-site', origin: 'http://localhost:1234' } },
    status: 403,
    code: 'foreign_origin',
  },
  { title: 'an unknown bot', request: { url: '/webhook/nobody' }, status: 404, code: 'unknown_bot' },
  {
    title: 'an unknown bot in the query',
    request: { url: '/webhook?bot_id=nobody' },
    status: 404,
    code: 'unknown_bot',
  },
  {
    title: 'a bot id of three thousand characters',
    request: { url: `/webhook/${'x'.repeat(3_000)}` },
    status: 404,
    code: 'unknown_bot',
  },
  {
    title: 'no bot at all',
    options: { chat: CAMPFIRE, bots: [keyless] },
    status: 404,
    code: 'no_default_bot',
  },
  { title: 'an address below', request: { url: '/webhook/a/b' }, status: 404, code: 'not_found' },
  { title: 'a mistyped address', request: { url: '/Webhooks' }, status: 404, code: 'not_found' },
  { title: 'a doubled slash', request: { url: '//webhook' }, status: 404, code: 'not_found' },
  ...(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'] as const).map((method) => ({
    title: `a ${method}`,
    request: { method },
    status: 405,
    code: 'method_not_allowed',
  })),
  {
    title: 'more than 10 MB',
    body: JSON.stringify({ pad: 'x'.repeat(10 * 1024 * 1024) }),
    status: 413,
    code: 'too_large',
  },
  {
    title: 'a form',
    body: 'user=1',
    request: { headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    status: 415,
    code: 'not_json_type',
  },
  {
    title: 'plain text',
    body: '{}',
    request: { headers: { 'content-type': 'text/plain' } },
    status: 415,
    code: 'not_json_type',
  },
  {
    title: 'a type that is none',
    request: { headers: { 'content-type': 'json' } },
    status: 415,
    code: 'not_json_type',
  },
  { title: 'missing fields', body: {}, status: 422, code: 'invalid_fields' },
  {
    title: 'a path of another room',
    body: fromCampfire({ room: { id: 8 } }),
    status: 422,
    code: 'room_mismatch',
  },
  {
    title: 'a database that says no',
    options: { ...SERVER, accept: () => Promise.reject(new Error('locked')) },
    status: 503,
    code: 'not_stored',
  },
  {
    title: 'one more where ten thousand wait',
    options: { ...SERVER, accept: async () => ({ kind: 'full' }) },
    status: 503,
    code: 'too_many_waiting',
  },
];

describe('a webhook that is refused', () => {
  it.each(REFUSED)('$title → $status $code, with nothing in it', async (refused) => {
    const doors = await open(refused.options ?? SERVER);
    const answer = await post(doors, refused.body ?? fromCampfire(), refused.request);
    expect(answer.statusCode).toBe(refused.status);
    expect(answer.headers['x-firekeeper-error']).toBe(refused.code);
    expect(answer.body).toBe('');
    expect(answer.headers).not.toHaveProperty('content-type');
    expect(answer.headers['retry-after']).toBe(refused.status === 503 ? '5' : undefined);
    expect(doors.accepted).toEqual([]);
    expect(doors.woken).toEqual([]);
    const counted = (await doors.metrics.webhooks.get()).values;
    expect(counted).toMatchObject([
      { labels: { status: String(refused.status), reason: refused.code }, value: 1 },
    ]);
  });

  it.each(REFUSED.filter(({ request }) => request?.method !== 'HEAD'))(
    '$title → problem details for a caller that asks for JSON',
    async (refused) => {
      const doors = await open(refused.options ?? SERVER);
      const headers = { ...refused.request?.headers, accept: 'application/json' };
      const answer = await post(doors, refused.body ?? fromCampfire(), { ...refused.request, headers });
      expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(answer.json()).toMatchObject({ status: refused.status, code: refused.code });
    },
  );

  it('is heard after three seconds when the database does not answer, and its conversation is woken if it does later', async () => {
    let stored = (_outcome: AcceptOutcome) => {};
    const doors = await open({
      ...SERVER,
      accept: () =>
        new Promise((resolve) => {
          stored = resolve;
        }),
    });
    const answering = post(doors, fromCampfire());
    await doors.clock.advance(2_999);
    expect(doors.clock.pending()).toBe(1);
    await doors.clock.advance(1);
    const answer = await answering;
    expect([answer.statusCode, answer.headers['x-firekeeper-error'], answer.body]).toEqual([
      503,
      'not_stored',
      '',
    ]);
    expect(doors.refused.count).toBe(1);

    stored({ kind: 'accepted', id: 1 as InboxId, idReused: false });
    await doors.clock.advance(0);
    expect(doors.woken).toEqual(['campfire:1:7:bender']);
    expect(doors.clock.pending()).toBe(0);
  });

  it('says nothing to the room when it meets a bug of ours', async () => {
    const broken: AcceptOutcome = {
      kind: 'accepted',
      id: 1 as InboxId,
      get idReused(): boolean {
        throw new Error('bug');
      },
    };
    const doors = await open({ ...SERVER, accept: async () => broken });
    const answer = await post(doors, fromCampfire());
    expect([answer.statusCode, answer.body, answer.headers['content-type']]).toEqual([500, '', undefined]);
    expect(answer.headers['x-firekeeper-error']).toBe('internal_error');
  });

  it('costs a stranger no more than a header: the token is checked before the body is read', async () => {
    const doors = await open({ ...SERVER, webhookToken: WEBHOOK_TOKEN });
    const answer = await post(doors, 'x'.repeat(11 * 1024 * 1024));
    expect(answer.statusCode).toBe(401);
  });

  it('does not tell a configured token by its absence: no local caller goes without it', async () => {
    const doors = await open({ webhookToken: WEBHOOK_TOKEN });
    expect((await post(doors, FLAT)).statusCode).toBe(401);
    expect((await post(doors, FLAT, { url: `/webhook?token=${WEBHOOK_TOKEN}` })).statusCode).toBe(200);
  });

  it('never has its token, its text or its key in the log', async () => {
    const doors = await open({ ...SERVER, webhookToken: WEBHOOK_TOKEN });
    await post(doors, fromCampfire({ key: '3-wrong' }), { url: `/webhook?token=${WEBHOOK_TOKEN}` });
    await post(doors, '{"user": "hello', { url: `/webhook?token=${WEBHOOK_TOKEN}` });
    expect(doors.logged).toHaveLength(2);
    expect(doors.logged.join()).not.toMatch(/3-wrong|hello|s3cret|\/webhook/);
  });
});
