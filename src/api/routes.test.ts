import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AS_ADMIN, type Doors, makeBot, openDoors } from '../../test/fixtures/front-doors.ts';
import { toLegacyRoomId } from '../base/legacy-room-id.ts';
import { botId, type ConversationKey, type InboxId, type SessionId } from '../base/terms.ts';
import type { TurnRecord } from '../turn/turn.ts';

let doors: Doors;
beforeEach(async () => {
  doors = await openDoors();
});
afterEach(() => doors.close());

function get(url: string, headers: Record<string, string> = AS_ADMIN) {
  return doors.http.inject({ url, headers });
}
function post(url: string, payload?: object, headers: Record<string, string> = AS_ADMIN) {
  return doors.http.inject({ method: 'POST', url, headers, ...(payload && { payload }) });
}

const KEY = 'builtin:7:bender' as ConversationKey;
const TURN: TurnRecord = {
  conversation: KEY,
  botId: botId('bender'),
  sessionId: 'a0000000-0000-4000-8000-000000000000' as SessionId,
  inboxIds: [1 as InboxId],
  tier: 'hot',
  start: 'reused',
  reason: 'its process lives',
  outcome: 'answered',
  attempt: 1,
  endedAt: Date.UTC(2026, 0, 1),
  waitedMs: 1,
  openedMs: 2,
  firstTextMs: null,
  answeredMs: 4,
};

describe('what is open', () => {
  it('GET /health says that the process runs, and nothing else', async () => {
    await doors.clock.advance(90_500);
    const answer = await get('/health', {});
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({
      status: 'healthy',
      version: '0.0.0',
      timestamp: '2026-01-01T00:01:30.500Z',
      uptime_seconds: 90.5,
    });
  });

  it('GET /health answers while nothing else does', async () => {
    await doors.close();
    doors = await openDoors({ checks: { database: () => new Promise(() => {}) } });
    expect((await get('/health', {})).statusCode).toBe(200);
  });

  it('GET /ready is 503 with the reasons, as problem details', async () => {
    expect((await get('/ready', {})).json()).toEqual({ status: 'ready', ready: true, reasons: [] });
    await doors.close();
    doors = await openDoors({ checks: { drain: async () => 'the server is draining' } });
    const answer = await get('/ready', {});
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['content-type']).toMatch('application/problem+json');
    expect(answer.json()).toMatchObject({
      status: 503,
      code: 'not_ready',
      detail: 'the server is draining',
      ready: false,
      reasons: ['the server is draining'],
    });
  });

  it.each([
    ['/', 'text/html'],
    ['/index.html', 'text/html'],
    ['/page.js', 'javascript'],
  ])('GET %s is a file of the page, and runs only scripts from here', async (url, type) => {
    const answer = await get(url, {});
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toContain(type);
    expect(answer.headers['content-security-policy']).toContain("default-src 'self'");
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });

  it.each(['/', '/page.js', '/health', '/session/stats'])(
    'GET %s lets no other page in, nor any script that is not ours',
    async (url) => {
      const { headers } = await doors.http.inject({ url, headers: AS_ADMIN });
      const policy = String(headers['content-security-policy']);
      expect(policy).toContain("default-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("base-uri 'none'");
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
      });
    },
  );

  it.each(['/../package.json', '/%2e%2e/package.json', '/..%2fpackage.json', '/.env'])(
    'GET %s is no file of the page',
    async (url) => {
      expect((await get(url, AS_ADMIN)).statusCode).toBeGreaterThanOrEqual(400);
    },
  );

  it('what the predecessor gave up is gone', async () => {
    expect((await post('/files/register', {}, {})).json()).toMatchObject({ status: 410, code: 'gone' });
    expect((await get('/files/stats', {})).statusCode).toBe(410);
  });
});

describe('everything else', () => {
  it('needs the admin token: every route of the description, and every address that is none', async () => {
    const paths: Record<string, Record<string, { security?: [] }>> = (await get('/openapi.json')).json()
      .paths;
    const closed = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, { security }]) => security === undefined)
        .map(([method]) => ({ method: method.toUpperCase(), url: path.replace(/\{.*?\}/g, '7') })),
    );
    expect(closed.map(({ method, url }) => `${method} ${url}`).sort()).toEqual([
      'GET /api/bots',
      'GET /api/costs',
      'GET /api/events',
      'GET /api/inbox',
      'GET /api/outbox',
      'GET /api/sessions',
      'GET /api/sessions/7',
      'GET /api/sessions/7/transcript',
      'GET /api/turns',
      'GET /local/rooms/7/messages',
      'GET /metrics',
      'GET /queue/stats',
      'GET /session/stats',
      'GET /ws/7/7',
      'POST /api/inbox/7/replay',
      'POST /api/outbox/7/replay',
      'POST /api/sessions/7/compact',
      'POST /api/sessions/7/interrupt',
      'POST /api/sessions/7/reset',
      'POST /local/rooms/7/messages',
      'POST /session/clear/all',
      'POST /session/clear/room/7',
    ]);
    const others = [
      '/docs',
      '/docs/static/swagger-ui-bundle.js',
      '/docs/json',
      '/openapi.json',
      '/api/nothing',
    ];
    for (const route of [...closed, ...others.map((url) => ({ method: 'GET', url }))]) {
      const answer = await doors.http.inject({ method: route.method as 'GET', url: route.url });
      expect([route.url, answer.statusCode]).toEqual([route.url, 401]);
      expect(answer.json()).toMatchObject({ status: 401, code: 'login_required' });
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    }
    expect(doors.forgotten).toEqual([]);
  });

  it('is answered with problem details where there is nothing', async () => {
    const answer = await get('/api/nothing');
    expect(answer.statusCode).toBe(404);
    expect(answer.headers['content-type']).toMatch('application/problem+json');
    expect(answer.json()).toEqual({
      type: 'urn:firekeeper:error:not_found',
      title: 'There is nothing at this address.',
      status: 404,
      code: 'not_found',
      detail: 'There is nothing at this address.',
    });
  });

  it.each([
    ['no JSON', '{', { 'content-type': 'application/json' }, 400, 'not_json'],
    ['a form', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'not_json_type'],
    ['more than 1 MB', 'x'.repeat(1024 * 1024 + 1), { 'content-type': 'application/json' }, 413, 'too_large'],
    ['wrong fields', '{"text":5}', { 'content-type': 'application/json' }, 422, 'invalid_fields'],
  ])('says of %s what is wrong', async (_title, payload, headers, status, code) => {
    const url = '/local/rooms/7/messages';
    const answer = await doors.http.inject({
      method: 'POST',
      url,
      headers: { ...AS_ADMIN, ...headers },
      payload,
    });
    expect(answer.json()).toMatchObject({ status, code });
  });

  it('hides what went wrong inside', async () => {
    doors.stats.sessions = null as never;
    const answer = await get('/session/stats');
    expect(answer.json()).toMatchObject({
      status: 500,
      code: 'internal_error',
      detail: 'The server failed.',
    });
    expect(doors.logged.join()).toContain('TypeError');
  });

  it('is described as OpenAPI, and readable at /docs with its own files alone', async () => {
    expect((await get('/openapi.json')).json()).toMatchObject({
      openapi: '3.1.0',
      info: { title: 'Firekeeper' },
    });
    for (const page of ['/docs', '/docs/']) {
      const answer = await get(page);
      expect(answer.statusCode).toBe(200);
      expect(answer.headers['content-security-policy']).toContain("default-src 'self'");
      expect(answer.body).not.toMatch(/<script>|https?:\/\//);
      const files = [...answer.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file ?? '');
      expect(files.length).toBeGreaterThan(4);
      for (const file of files)
        expect((await get(new URL(file, `http://localhost${page}`).pathname)).statusCode).toBe(200);
    }
  });

  it('includes the webhook in the description, in both shapes', async () => {
    const { paths } = (await get('/openapi.json')).json();
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/webhook', '/webhook/{botId}']));
    expect(JSON.stringify(paths['/webhook'].post.requestBody)).toMatch(/creator.*/);
  });
});

describe('what there is to see', () => {
  it('GET /metrics is Prometheus text', async () => {
    await doors.http.inject({ method: 'POST', url: '/webhook' });
    const answer = await get('/metrics');
    expect(answer.headers['content-type']).toContain('text/plain; version=0.0.4');
    expect(answer.body).toContain('firekeeper_webhooks_total{status="415",reason="not_json_type"} 1');
  });

  it('GET /session/stats has the predecessor’s fields and ours', async () => {
    doors.stats.sessions = {
      total: 12,
      ttlHours: 0.5,
      persistenceDir: '/data',
      memory: { budgetMb: 4_000, usedMb: 250, liveAgents: 1 },
      sessions: [
        {
          conversation: KEY,
          sessionId: TURN.sessionId,
          state: 'active',
          tier: 'hot',
          start: 'reused',
          connected: true,
          busy: false,
          fingerprint: 'f00',
          turnCount: 3,
          rssMb: 250,
          costUsd: 0.25,
          createdAt: doors.clock.now() - 90_000_000,
          lastUsedAt: doors.clock.now() - 1_500,
          memoryAtRiskAt: null,
        },
      ],
    };
    expect((await get('/session/stats')).json()).toEqual({
      active_sessions: 12,
      ttl_hours: 0.5,
      persistence_dir: '/data',
      memory: { budget_mb: 4_000, used_mb: 250, live_agents: 1 },
      sessions: [
        {
          key: 'builtin:7:bender',
          room_id: 7,
          bot_id: 'bender',
          user_id: null,
          session_id: TURN.sessionId,
          state: 'active',
          tier: 'hot',
          start: 'reused',
          connected: true,
          busy: false,
          query_count: 3,
          age_seconds: 90_000,
          idle_seconds: 1.5,
          rss_mb: 250,
          cost_usd: 0.25,
          fingerprint: 'f00',
          created_at: '2025-12-30T23:00:00.000Z',
          last_used: '2025-12-31T23:59:58.500Z',
          memory_at_risk_at: null,
        },
      ],
    });
  });

  it('GET /queue/stats has the predecessor’s fields and ours', async () => {
    doors.stats.queue = {
      total: 10,
      waiting: 3,
      running: 1,
      active: ['builtin:lobby:bender' as ConversationKey],
      oldestWaitingAt: doors.clock.now() - 2_000,
      waitingByConversation: new Map([[KEY, 3]]),
    };
    expect((await get('/queue/stats')).json()).toEqual({
      total_requests: 10,
      queued_requests: 3,
      active_agents: 1,
      active_keys: [['lobby', 'bender']],
      timestamp: '2026-01-01T00:00:00.000Z',
      depth: 4,
      oldest_wait_seconds: 2,
      by_key: { 'builtin:7:bender': 3 },
    });
  });

  it('GET /api/bots lists the bots and the problems of their files, never a key', async () => {
    await doors.close();
    const bender = makeBot({ id: botId('bender'), key: '3-secret', model: 'haiku', builtinTools: ['Read'] });
    doors = await openDoors({
      bots: [bender, makeBot({ id: botId('flexo'), isDefault: true, language: 'zh-CN' })],
    });
    const answer = await get('/api/bots');
    expect(answer.body).not.toContain('3-secret');
    expect(answer.json()).toEqual({
      bots: [
        {
          bot_id: 'bender',
          name: 'Bender Bot',
          description: 'Answers.',
          is_default: false,
          model: 'haiku',
          tools: ['Read'],
          language: 'en',
        },
        expect.objectContaining({ bot_id: 'flexo', is_default: true, model: null, language: 'zh-CN' }),
      ],
      problems: [{ severity: 'warning', file: 'x.yaml', field: 'tools', reason: 'no such tool' }],
    });
  });

  it('GET /api/turns lists turns, of one conversation when asked', async () => {
    doors.turns.push(TURN, { ...TURN, conversation: 'builtin:8:bender' as ConversationKey });
    expect((await get('/api/turns?limit=1')).json()).toEqual({
      turns: [
        {
          conversation: KEY,
          bot_id: 'bender',
          session_id: TURN.sessionId,
          inbox_ids: [1],
          tier: 'hot',
          start: 'reused',
          reason: 'its process lives',
          outcome: 'answered',
          attempt: 1,
          ended_at: '2026-01-01T00:00:00.000Z',
          waited_ms: 1,
          opened_ms: 2,
          first_text_ms: null,
          answered_ms: 4,
        },
      ],
    });
    const one = await get(`/api/turns?conversation=${encodeURIComponent('builtin:8:bender')}`);
    expect(one.json().turns).toHaveLength(1);
    expect((await get('/api/turns?limit=0')).json()).toMatchObject({ status: 422, code: 'invalid_fields' });
  });
});

describe('clearing', () => {
  it('forgets a room, one bot in it, or everything', async () => {
    expect((await post('/session/clear/room/7')).json()).toEqual({
      status: 'success',
      message: 'Sessions of room 7 cleared',
      cleared: 1,
    });
    await post('/session/clear/room/7?bot_id=bender');
    expect((await post('/session/clear/all')).json()).toEqual({
      status: 'success',
      message: 'All sessions cleared',
      cleared: 3,
    });
    expect(doors.forgotten).toEqual(['7/*', '7/bender', '*']);
  });
});

it.each([
  ['7', 7],
  ['0', 0],
  ['lobby', 'lobby'],
  ['07', '07'],
  ['1e3', '1e3'],
  ['', ''],
  ['99999999999999999999', '99999999999999999999'],
])('the room %j is %j to the predecessor’s clients', (room, expected) => {
  expect(toLegacyRoomId(room)).toBe(expected);
});
