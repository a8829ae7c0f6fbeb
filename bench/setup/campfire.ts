import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Bench } from './run.ts';

/** The bot's key in this Campfire. Its user id must not be the author's. */
export const BOT_KEY = '3-benchbenchbe';
/** Who writes here: a person, which the list endpoint says. */
export const AUTHOR = { id: 1, name: 'David' } as const;

/** As much of a Campfire as a benchmark needs: takes posts at once, and tells when each was here whole. */
export type LocalCampfire = {
  readonly url: string;
  /** When the room's next post arrives, as `performance.now()` tells time. To be asked before it can. */
  nextPost(room: string): Promise<number>;
  /** Posts that arrived so far. */
  posts(): number;
  /** The next post of each room, in the order of arrival. */
  onPost(listener: (room: string, at: number) => void): void;
};

const POST = /^\/rooms\/([^/]+)\/[^/]+\/messages$/;

export async function startLocalCampfire(bench: Bench): Promise<LocalCampfire> {
  const waiting = new Map<string, (at: number) => void>();
  const listeners: ((room: string, at: number) => void)[] = [];
  let posts = 0;

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    for await (const _ of req);
    const at = performance.now();
    const room = POST.exec((req.url ?? '').replace(/\?.*$/, ''))?.[1];
    if (room === undefined) return void res.writeHead(404).end();
    if (req.method !== 'POST') return list(res);
    posts += 1;
    res.writeHead(201, { location: `http://campfire/messages/${posts}` }).end();
    waiting.get(room)?.(at);
    waiting.delete(room);
    for (const listener of listeners) listener(room, at);
  }

  const server = createServer((req, res) => {
    answer(req, res).catch(() => res.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  bench.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    nextPost: (room) => new Promise((resolve) => waiting.set(room, resolve)),
    posts: () => posts,
    onPost: (listener) => listeners.push(listener),
  };
}

/** One message, so that its author is known to be a person; too old to have been missed. */
function list(res: ServerResponse): void {
  const creator = { ...AUTHOR, role: 'member' };
  res.writeHead(200, { 'content-type': 'application/json' });
  const body = { plain_text: 'hello', html: '<div>hello</div>' };
  res.end(JSON.stringify([{ id: 1, created_at: '2020-01-01T00:00:00.000Z', body, creator }]));
}

/** Campfire's webhook about one message of the author. */
export function toWebhook(room: string, id: string, text: string): string {
  return JSON.stringify({
    user: AUTHOR,
    room: { id: Number(room), name: `Room ${room}`, path: `/rooms/${room}/${BOT_KEY}/messages` },
    message: { id, body: { html: `<div>${text}</div>`, plain: text }, path: `/rooms/${room}/@${id}` },
  });
}
