import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeFakeClock } from '../../../test/fixtures/fake-clock.ts';
import { makeExchange } from './exchange.ts';

const PATH = '/rooms/7/3-TheKeyOfABot/messages';

/** A Campfire that answers so, and an exchange with it; `under` is the path that it lies under. */
async function start(answer: RequestListener, under = '') {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const clock = makeFakeClock();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const exchange = makeExchange({ baseUrl: url + under, clock });
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(async () => {
    await exchange.close();
    await close();
  });
  const send = (path = PATH) => exchange.send({ method: 'POST', path, html: 'hello', limitMs: 30_000 });
  return { asked, clock, url, close, send };
}

describe('an exchange with Campfire', () => {
  it.each([301, 302, 303, 307, 308])(
    'takes a redirect (%i) for an answer and goes nowhere',
    async (status) => {
      const elsewhere = await start((_request, response) => response.end());
      const { send, asked } = await start((_request, response) =>
        response.writeHead(status, { location: `${elsewhere.url}/x` }).end(),
      );
      expect(await send()).toMatchObject({ kind: 'answer', status, location: `${elsewhere.url}/x` });
      expect(asked).toEqual([`POST ${PATH}`]);
      expect(elsewhere.asked).toEqual([]);
    },
  );

  it.each(['//elsewhere.example/x', '/../../account', '/\\elsewhere.example/x'])(
    'goes to its own Campfire with the path %s',
    async (path) => {
      const { send, asked } = await start((_request, response) => response.end(), '/chat');
      await send(path);
      expect(asked).toEqual([`POST /chat${path}`]);
    },
  );

  it('tells a code of what went wrong and nothing else, for its address holds a key', async () => {
    const { send, close } = await start((request) => request.socket.destroy());
    expect(await send()).toEqual({ kind: 'no-answer', code: 'UND_ERR_SOCKET', delivered: 'maybe' });
    const bad = await send('/rooms/7/3-TheKeyOfABot\n/messages');
    expect(bad).toEqual({ kind: 'no-answer', code: 'UND_ERR_INVALID_ARG', delivered: 'maybe' });
    await close();
    expect(await send()).toEqual({ kind: 'no-answer', code: 'ECONNREFUSED', delivered: 'no' });
  });

  it('waits so long and no longer', async () => {
    const { send, clock, asked } = await start(() => {});
    const sent = send();
    while (asked.length === 0) await clock.advance(0);
    await clock.advance(30_000);
    expect(await sent).toEqual({ kind: 'no-answer', code: 'timeout', delivered: 'maybe' });
  });

  it('reads so much of an answer and no more', async () => {
    const { send } = await start((_request, response) => {
      for (let megabytes = 0; megabytes < 33; megabytes += 1) response.write('x'.repeat(1_000_000));
      response.end();
    });
    const answer = await send();
    expect(answer).toMatchObject({ kind: 'answer', status: 200, whole: false });
    expect(answer.kind === 'answer' && answer.body.length).toBeLessThanOrEqual(32_000_000);
  });
});
