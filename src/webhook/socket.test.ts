/** What only a real socket can say: requests that Node never parses, and bodies that come in pieces. */
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Doors, openDoors } from '../../test/fixtures/front-doors.ts';
import type { AcceptOutcome } from '../inbox/inbox.ts';

let doors: Doors;
let port: number;
beforeEach(async () => {
  doors = await openDoors();
  await doors.http.listen({ host: '127.0.0.1', port: 0 });
  port = (doors.http.server.address() as AddressInfo).port;
});
afterEach(() => doors.close());

/** Writes the pieces, each when the one before was taken, and reads until the server closes. */
function talk(...pieces: readonly (string | Buffer)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
    });
    socket.on('close', () => resolve(heard));
    // A server that has answered may reset a connection that is still being written to; what was heard counts.
    socket.on('error', (error) => (heard === '' ? reject(error) : resolve(heard)));
    writeNext(0);
    function writeNext(i: number): void {
      const piece = pieces[i];
      if (piece !== undefined) socket.write(piece, () => setImmediate(writeNext, i + 1));
    }
  });
}

const BODY = JSON.stringify({
  creator: { id: 1, name: 'Cron' },
  room: { id: 7, name: 'HQ' },
  content: 'Grüße 🎉',
});

function head(...lines: readonly string[]): string {
  return [
    'POST /webhook HTTP/1.1',
    'Host: localhost',
    'Connection: close',
    'Content-Type: application/json',
    ...lines,
    '',
    '',
  ].join('\r\n');
}

function expectEmpty(heard: string, status: number): void {
  expect(heard).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  const [headers, body] = heard.split('\r\n\r\n');
  expect(headers?.toLowerCase()).not.toContain('content-type');
  expect(headers?.toLowerCase()).toContain('content-length: 0');
  expect(body).toBe('');
}

describe('a request that is no proper HTTP', () => {
  it.each([
    ['noise', 'hello\r\n\r\n', 400],
    ['a method that nobody knows', 'SHOUT /webhook HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
    ['a Content-Length that is no number', head('Content-Length: many'), 400],
    ['a negative Content-Length', head('Content-Length: -1'), 400],
    ['two lengths', head('Content-Length: 2', 'Content-Length: 3'), 400],
    ['a length and chunks at once', head('Content-Length: 2', 'Transfer-Encoding: chunked'), 400],
    ['headers of 100 kB', head(`X-Pad: ${'x'.repeat(100_000)}`), 431],
    ['a chunk that has no size', `${head('Transfer-Encoding: chunked')}zz\r\n`, 400],
  ])('%s is answered with nothing in it', async (_title, request, status) => {
    expectEmpty(await talk(request), status);
    expect(doors.accepted).toEqual([]);
  });

  it('without a Host is answered with nothing in it', async () => {
    const heard = await talk('POST /webhook HTTP/1.1\r\nConnection: close\r\n\r\n');
    expect(heard).toMatch(/^HTTP\/1\.1 400 /);
    expect(heard.toLowerCase()).not.toContain('content-type');
  });

  it('with HTTP/1.0 and without a Host is refused', async () => {
    expectEmpty(await talk('POST /webhook HTTP/1.0\r\nContent-Length: 0\r\n\r\n'), 403);
  });

  it('with a known method that no route has is answered with nothing in it', async () => {
    expectEmpty(await talk('PURGE /webhook HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'), 405);
  });
});

describe('a body', () => {
  it('may come in chunks that cut a letter in two', async () => {
    const bytes = Buffer.from(BODY);
    const middle = bytes.indexOf(0xc3) + 1;
    const chunk = (part: Buffer) =>
      Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]);
    const heard = await talk(
      head('Transfer-Encoding: chunked'),
      chunk(bytes.subarray(0, middle)),
      chunk(bytes.subarray(middle)),
      '0\r\n\r\n',
    );
    expectEmpty(heard, 200);
    expect(doors.accepted[0]?.text).toBe('Grüße 🎉');
  });

  it('that announces more than 10 MB is refused before it is sent', async () => {
    expectEmpty(await talk(head(`Content-Length: ${10 * 1024 * 1024 + 1}`)), 413);
  });

  it('that turns out to be more than 10 MB is refused', async () => {
    const megabyte = `100000\r\n${'x'.repeat(1024 * 1024)}\r\n`;
    const heard = await talk(head('Transfer-Encoding: chunked'), ...Array<string>(11).fill(megabyte));
    expectEmpty(heard, 413);
  });

  it('just under 10 MB is read', async () => {
    const body = JSON.stringify({ pad: 'x'.repeat(10 * 1024 * 1024 - 100) });
    expectEmpty(await talk(head(`Content-Length: ${body.length}`), body), 422);
  });

  it('may wait for a 100 Continue', async () => {
    const heard = await talk(
      head(`Content-Length: ${Buffer.byteLength(BODY)}`, 'Expect: 100-continue'),
      BODY,
    );
    expect(heard).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    expect(doors.accepted).toHaveLength(1);
  });

  it('with an expectation that nobody meets is answered with nothing in it', async () => {
    const heard = await talk(head('Content-Length: 0', 'Expect: miracles'));
    expect(heard).toMatch(/^HTTP\/1\.1 417 /);
    expect(heard.toLowerCase()).not.toContain('content-type');
  });

  it('in bytes that are no UTF-8 is read with replacement characters', async () => {
    const body = Buffer.concat([
      Buffer.from(BODY.slice(0, -2)),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}'),
    ]);
    expectEmpty(await talk(head(`Content-Length: ${body.length}`), body), 200);
    expect(doors.accepted[0]?.text).toBe('Grüße 🎉\ufffd\ufffd');
  });
});

it('a request may take half a minute to come, and no longer', () => {
  expect(doors.http.server.requestTimeout).toBe(30_000);
});

it('an address in absolute form is the same door', async () => {
  const request = head('Content-Length: 2').replace('POST /webhook', 'POST http://localhost/webhook/nobody');
  expectEmpty(await talk(`${request}{}`), 422);
});

it('what arrives while the server closes is answered with nothing in it', async () => {
  const gate = Promise.withResolvers<AcceptOutcome>();
  const closing = await openDoors({ accept: () => gate.promise });
  await closing.http.listen({ host: '127.0.0.1', port: 0 });
  const socket = connect((closing.http.server.address() as AddressInfo).port, '127.0.0.1');
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1');
  });
  const ended = once(socket, 'close');
  const request = `${head(`Content-Length: ${Buffer.byteLength(BODY)}`).replace('close', 'keep-alive')}${BODY}`;

  const firstArrived = once(closing.http.server, 'request');
  socket.write(request);
  await firstArrived;
  const closed = closing.close();
  const secondArrived = once(closing.http.server, 'request');
  socket.write(request);
  await secondArrived;
  gate.resolve({ kind: 'duplicate' });
  await Promise.all([ended, closed]);

  const answers = heard.split(/(?=HTTP\/1\.1 )/);
  expect(answers).toHaveLength(2);
  for (const answer of answers) expectEmpty(answer, 200);
});
