/** What a run of chaos asks of a server about one project, over HTTP. */
import { systemClock } from '../../src/base/clock.ts';

export const CHAOS_TOKEN = 'admin-token-of-the-chaos';

const ANSWERED_WITHIN_MS = 60_000;
const RETRY_MS = 50;

/** Once; throws when nobody is there, and for any answer that is no success. */
export async function call(
  address: string,
  method: string,
  path: string,
  given: { readonly body?: object; readonly key?: string; readonly accept?: string } = {},
): Promise<Response> {
  const { body, key, accept } = given;
  const answer = await fetch(address + path, {
    method,
    headers: {
      authorization: `Bearer ${CHAOS_TOKEN}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
      ...(accept === undefined ? {} : { accept }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Refused(`${method} ${path} was answered ${answer.status}`);
  return answer;
}

export class Refused extends Error {}

/** Until it is answered, by whichever server is there; as a client with an idempotency key would. */
export async function callUntilAnswered(
  address: () => string,
  path: string,
  given: { readonly body: object; readonly key: string },
): Promise<{ readonly id: number }> {
  const until = performance.now() + ANSWERED_WITHIN_MS;
  for (;;) {
    try {
      return (await (await call(address(), 'POST', path, given)).json()) as { readonly id: number };
    } catch (error) {
      // A refusal is for good; otherwise it is dead, and the next server takes it, or knows it already.
      if (error instanceof Refused || performance.now() > until) throw error;
    }
    await systemClock.sleep(RETRY_MS);
  }
}

export type ToldEvent = { readonly id: number; readonly type: string };

/** The whole stream of an update that has ended, from its first event. */
export async function readStream(address: string, update: number): Promise<readonly ToldEvent[]> {
  const text = await (
    await call(address, 'GET', `/v1/updates/${update}/events`, { accept: 'text/event-stream' })
  ).text();
  return text.split('\n\n').flatMap((frame) => {
    const id = /^id: (\d+)$/m.exec(frame)?.[1];
    const type = /^event: (.+)$/m.exec(frame)?.[1];
    return id === undefined || type === undefined ? [] : [{ id: Number(id), type }];
  });
}
