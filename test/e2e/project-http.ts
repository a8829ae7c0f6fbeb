/** The HTTP of projects as a client of the whole server sees it. */
import { randomUUID } from 'node:crypto';
import type { ProjectWorld } from './project-world.ts';
import { waitFor } from './server.ts';

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  /** Empty when it was no JSON. */
  readonly body: { readonly [field: string]: unknown };
};
export type Asked = {
  readonly token?: string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
};
export type StoredUpdate = {
  readonly id: number;
  readonly status: string;
  readonly result_version: number | null;
  readonly prompt: string | null;
};
export type SentEvent = { readonly id: number; readonly type: string; readonly data: string };

export type ProjectClient = ReturnType<typeof makeClient>;

/** With the admin token unless another one is given. */
export function makeClient(
  { app }: { readonly app: Pick<ProjectWorld['app'], 'address'> },
  adminToken = 'admin-token-of-the-test',
) {
  async function fetched(method: string, path: string, asked: Asked = {}) {
    const { token = adminToken, key, headers, body } = asked;
    return fetch(app.address + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  }
  async function ask(method: string, path: string, asked: Asked = {}): Promise<Answer> {
    const answer = await fetched(method, path, asked);
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get('content-type') ?? '');
    return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : {} };
  }
  const queue = (project: string, prompt: string, asked: Asked = {}) =>
    ask('POST', `/v1/projects/${project}/updates`, {
      key: randomUUID(),
      ...asked,
      body: { prompt, ...(asked.body as object | undefined) },
    });

  return {
    fetched,
    ask,
    queue,
    /** A token of the project for a user. */
    async tokenFor(project: string, user: string): Promise<string> {
      const { body } = await ask('POST', `/v1/projects/${project}/tokens`, { body: { user_id: user } });
      return String(body.token);
    },
    /** Once it has ended. */
    ended: (id: number) =>
      waitFor(
        async () => {
          const { body } = await ask('GET', `/v1/updates/${id}`);
          const times = body.times as { readonly finished: string | null };
          return times.finished === null ? null : (body as StoredUpdate & typeof body);
        },
        { withinMs: 60_000, otherwise: () => `update ${id} has not ended` },
      ),
    /** The stream from an event on; at most `limit` events of it, then the client leaves. */
    async stream(id: number, after: number, limit = Number.POSITIVE_INFINITY): Promise<readonly SentEvent[]> {
      const answer = await fetched('GET', `/v1/updates/${id}/events`, {
        headers: { accept: 'text/event-stream', 'last-event-id': String(after) },
      });
      const events: SentEvent[] = [];
      if (answer.status === 204 || answer.body === null) return events;
      let text = '';
      for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
        text += piece;
        const frames = text.split('\n\n');
        text = frames.pop() ?? '';
        events.push(...frames.flatMap(readFrame));
        if (events.length >= limit) break;
      }
      return events.slice(0, limit);
    },
  };
}

function readFrame(frame: string): readonly SentEvent[] {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(frame)?.[1];
  const [id, type, data] = [field('id'), field('event'), field('data')];
  return id === undefined || type === undefined || data === undefined ? [] : [{ id: Number(id), type, data }];
}
