/** Behind nginx, as `deploy/nginx.conf` sets it up: Campfire would post any body and any typed answer into the room. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { findFreePort } from '../setup/free-port.ts';
import { hasNoNginx } from '../setup/nginx.ts';
import { type Answer, type Nginx, send, sendRaw, startNginx } from './nginx-in-front.ts';
import { startServer, type TestServer, waitFor } from './server.ts';

const TOKEN = 'the-token-of-the-webhooks';
const PATH = `/webhook/assistant?token=${TOKEN}`;
const MEGABYTE = 1024 * 1024;

const message = (content: string) =>
  JSON.stringify({ creator: { id: 1, name: 'David' }, room: { id: 1, name: 'Lounge' }, content });

/** Nothing that Campfire would post. */
function expectNothing(answer: Answer): void {
  expect(answer.headers['content-type']).toBeUndefined();
  expect(answer.body).toBe('');
}

describe.skipIf(hasNoNginx)('behind nginx', () => {
  let server: TestServer;
  let nginx: Nginx;
  beforeAll(async () => {
    server = await startServer({ env: { WEBHOOK_TOKEN: TOKEN }, shared: true });
    nginx = await startNginx(Number(new URL(server.url).port));
  });
  afterAll(async () => {
    await nginx?.stop();
    await server?.end();
  });

  describe('a webhook', () => {
    test('is accepted and answered with nothing', async () => {
      const answer = await send(nginx.port, {
        path: PATH,
        headers: { host: 'localhost' },
        body: message('hello through the proxy'),
      });
      expect(answer.status).toBe(200);
      expectNothing(answer);
      await server.replies(1, 1);
    });

    test.each([
      ['without its token', { path: '/webhook/assistant' }, 401, 'wrong_token'],
      [
        'of an unknown bot',
        { path: `/webhook/nobody?token=${TOKEN}`, body: message('x') },
        404,
        'unknown_bot',
      ],
      ['that is none', { path: `/webhooks/none?token=${TOKEN}`, body: message('x') }, 404, 'not_found'],
      ['that is a GET', { path: PATH, method: 'GET' }, 405, 'method_not_allowed'],
      ['that is no JSON', { path: PATH, body: '{' }, 400, 'not_json'],
      ['for another host', { path: PATH, headers: { host: 'evil.example.com' } }, 403, 'foreign_host'],
    ])('%s is refused by the server, whose answer passes as it is', async (_what, sent, status, code) => {
      const answer = await send(nginx.port, sent);
      expect([answer.status, answer.headers['x-firekeeper-error']]).toEqual([status, code]);
      expectNothing(answer);
    });

    test.each([
      ['larger than nginx takes', { body: ' '.repeat(10 * MEGABYTE + 1) }],
      ['larger than nginx takes, its length untold', { body: Array<string>(12).fill(' '.repeat(MEGABYTE)) }],
      ['with a header larger than nginx takes', { headers: { 'x-large': 'x'.repeat(40_000) } }],
      ['with two lengths', { headers: { 'content-length': '1', 'transfer-encoding': 'chunked' } }],
    ])('%s is answered with nothing by nginx', async (_what, sent) => {
      const answer = await send(nginx.port, { path: PATH, ...sent });
      expect(answer).toMatchObject({ status: 204, headers: { 'x-firekeeper-error': 'proxy_error' } });
      expectNothing(answer);
    });

    test('that is no proper HTTP is answered with nothing', async () => {
      const answer = await sendRaw(nginx.port, `POST ${PATH} HTTP/1.1\r\nHost: a b\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 204 /);
      expect(answer).not.toMatch(/content-type|<html/i);
    });

    test('that cannot be stored is a 503 with nothing in it', async () => {
      const holder = fileURLToPath(new URL('../fixtures/hold-database.ts', import.meta.url));
      const holding = spawn(process.execPath, [holder, join(server.dataDir, 'firekeeper.sqlite')], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      await once(holding.stdout, 'data');
      const answer = await send(nginx.port, { path: PATH, body: message('nobody can write now') });
      holding.stdin.end();
      await once(holding, 'exit');
      expect(answer).toMatchObject({ status: 503, headers: { 'x-firekeeper-error': 'not_stored' } });
      expectNothing(answer);
    });

    test('over http is answered with nothing, where everything else is sent to https', async () => {
      const answer = await send(nginx.plainPort, { path: PATH, body: message('hello') });
      expect(answer).toMatchObject({ status: 204, headers: { 'x-firekeeper-error': 'proxy_needs_https' } });
      expectNothing(answer);
      const page = await send(nginx.plainPort, {
        path: '/a?b',
        method: 'GET',
        headers: { host: 'x.example.com' },
      });
      expect(page).toMatchObject({ status: 301, headers: { location: 'https://x.example.com/a?b' } });
    });

    test('leaves its token in no access log', async () => {
      await send(nginx.port, { path: PATH, body: message('hello again') });
      await send(nginx.port, { path: `/health?token=${TOKEN}`, method: 'GET' });
      const log = await waitFor(() => (nginx.accessLog().includes('GET /health') ? nginx.accessLog() : null));
      expect(log).not.toContain(TOKEN);
    });
  });

  describe('everything else', () => {
    test('passes: the page, the routes, what is too large for them', async () => {
      const page = await send(nginx.port, {
        path: '/',
        method: 'GET',
        headers: { host: 'localhost' },
      });
      expect(page).toMatchObject({
        status: 200,
        headers: { 'content-type': expect.stringContaining('html') },
      });
      const refused = await send(nginx.port, { path: '/api/turns', method: 'GET' });
      expect(refused.status).toBe(401);
      expect(JSON.parse(refused.body)).toMatchObject({ status: 401 });
    });

    test('events come as they happen, and a WebSocket stays open', async () => {
      const headers = { authorization: `Bearer ${server.adminToken}` };
      const url = `http://127.0.0.1:${nginx.port}`;
      const events = await fetch(`${url}/api/events`, { headers });
      const socket = new WebSocket(`${url.replace('http', 'ws')}/ws/7/assistant`, { headers });
      const told: string[] = [];
      socket.addEventListener('message', ({ data }) => told.push(String(data)));
      await once(socket, 'open');

      socket.send(
        JSON.stringify({ type: 'message', text: 'hello from a socket', user: { id: '7', name: 'Jane' } }),
      );
      const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
      let streamed = '';
      while (!streamed.includes('turn')) streamed += (await reader.read()).value ?? '';
      await waitFor(() => (told.some((one) => one.includes('turn.finished')) ? true : null));
      await reader.cancel();
      socket.close();
    });
  });
});

describe.skipIf(hasNoNginx)('nginx', () => {
  test('answers a webhook with nothing while the server is down, and the page with an error', async () => {
    const nginx = await startNginx(await findFreePort());
    onTestFinished(() => nginx.stop());
    const answer = await send(nginx.port, { path: PATH, body: message('hello') });
    expect(answer).toMatchObject({ status: 204, headers: { 'x-firekeeper-error': 'proxy_error' } });
    expectNothing(answer);
    expect((await send(nginx.port, { path: '/', method: 'GET' })).status).toBe(502);
  });

  test.each([
    ['says nothing', 'nothing'],
    ['hangs up', 'end'],
  ])('answers a webhook with nothing when the server %s', async (_what, does) => {
    const upstream = createServer((socket) => {
      onTestFinished(() => void socket.destroy());
      socket.on('error', () => {});
      if (does === 'end') socket.once('data', () => socket.end());
    });
    const port = await findFreePort();
    await new Promise<void>((resolve) => upstream.listen(port, '127.0.0.1', resolve));
    onTestFinished(() => void upstream.close());
    const nginx = await startNginx(port, 1);
    onTestFinished(() => nginx.stop());
    const answer = await send(nginx.port, { path: PATH, body: message('hello') });
    expect(answer).toMatchObject({ status: 204, headers: { 'x-firekeeper-error': 'proxy_error' } });
    expectNothing(answer);
  });

  test('shows the server that it forwards, whatever a caller says: without a token that is refused', async () => {
    const server = await startServer();
    const nginx = await startNginx(Number(new URL(server.url).port));
    onTestFinished(() => nginx.stop());
    const answer = await send(nginx.port, {
      path: '/webhook/assistant',
      headers: { host: 'localhost', 'x-forwarded-for': '' },
      body: message('hello'),
    });
    expect(answer).toMatchObject({ status: 401, headers: { 'x-firekeeper-error': 'not_local' } });
    expectNothing(answer);
  });
});
