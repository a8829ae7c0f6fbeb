import autocannon from 'autocannon';
import { toWebhook } from './campfire.ts';

export type LoadResult = {
  /** Of each answer. */
  readonly latenciesMs: readonly number[];
  readonly requestsPerSecond: number;
};

/**
 * Posts webhooks, each about a message of its own, over so many connections that stay open; fails unless all are
 * answered 200.
 */
export async function loadWebhooks(
  url: string,
  options: { readonly connections: number; readonly requests: number; readonly room: string },
): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  const ids = makeIds();
  const begun = performance.now();
  let tookMs = 0;
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const instance = autocannon(
      {
        url,
        connections: options.connections,
        sampleInt: 50,
        amount: options.requests,
        headers: { 'content-type': 'application/json' },
        requests: [
          {
            method: 'POST',
            setupRequest: (request) => ({
              ...request,
              body: toWebhook(options.room, ids(), 'What is on the agenda for today?'),
            }),
          },
        ],
      },
      (error, done) => (error ? reject(error) : resolve(done)),
    );
    instance.on('response', (_client, _status, _bytes, responseMs) => {
      latenciesMs.push(responseMs);
      tookMs = performance.now() - begun;
    });
  });
  if (result['2xx'] !== options.requests) {
    throw new Error(`of ${options.requests} webhooks ${result['2xx']} were answered 200`);
  }
  return { latenciesMs, requestsPerSecond: (options.requests / tookMs) * 1_000 };
}

/** Never used before, in any run: an id seen twice is a duplicate and costs less. */
function makeIds(): () => string {
  const first = Math.round(performance.timeOrigin + performance.now()) * 1_000_000;
  let next = first;
  return () => String(next++);
}
