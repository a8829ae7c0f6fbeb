/** An endpoint with a key of its own: the offline model behind a door that writes down what everybody brings. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type OfflineModel, startOfflineModel } from '../../src/agent/offline/offline-model.ts';

/** What came in, whole: where a key may hide. */
export type Visit = { readonly key: string | null; readonly whole: string };

export type TestEndpoint = {
  readonly url: string;
  readonly key: string;
  readonly model: OfflineModel;
  visits(): readonly Visit[];
  /** Message requests that were answered to their end. */
  answered(): number;
  /** Message requests that hold `text` (null: all) are answered with this status; until `mend`. */
  refuse(status: number, text?: string | null): void;
  mend(): void;
  /** Connections are refused until `open`. */
  close(): Promise<void>;
  open(): Promise<void>;
};

/** Ends with the test. */
export async function startEndpoint(key: string): Promise<TestEndpoint> {
  const model = await startOfflineModel({ recordRequests: 500 });
  const visits: Visit[] = [];
  let answered = 0;
  let refusal: { readonly status: number; readonly text: string | null } | null = null;

  const server = createServer((req, res) => void answer(req, res));
  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await readAll(req);
    const { 'x-api-key': brought } = req.headers;
    const whole = `${req.method} ${req.url} ${req.rawHeaders.join('\n')}\n${body}`;
    if (req.method === 'POST') res.once('finish', count);
    visits.push({ key: typeof brought === 'string' ? brought : null, whole });
    if (refusal === null || (refusal.text !== null && !body.includes(refusal.text)))
      return passOn(req, body, res, model.baseUrl);
    res.writeHead(refusal.status, { 'content-type': 'application/json' });
    res.end('{"type":"error","error":{"type":"api_error","message":"told to refuse"}}');
  }
  function count(): void {
    answered += 1;
  }
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  onTestFinished(async () => {
    await close();
    await model.close();
  });

  return {
    url: `http://127.0.0.1:${port}`,
    key,
    model,
    visits: () => [...visits],
    answered: () => answered,
    refuse(status, text = null) {
      refusal = { status, text };
    },
    mend() {
      refusal = null;
    },
    close,
    open: () => listen(port),
  };
}

async function readAll(req: IncomingMessage): Promise<string> {
  let body = '';
  for await (const piece of req.setEncoding('utf8')) body += piece;
  return body;
}

function passOn(req: IncomingMessage, body: string, res: ServerResponse, to: string): void {
  const { method = 'GET', url = '/', headers } = req;
  const onwards = request(new URL(url, to), { method, headers }, (answered) => {
    res.writeHead(answered.statusCode ?? 502, answered.headers);
    answered.pipe(res);
  });
  onwards.on('error', () => res.destroy());
  res.on('close', () => onwards.destroy());
  onwards.end(body);
}
