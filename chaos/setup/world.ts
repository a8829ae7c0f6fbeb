import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type App, makeApp } from '../../src/app.ts';
import { systemClock } from '../../src/base/clock.ts';
import { roomId } from '../../src/base/terms.ts';
import { readConfig } from '../../src/config.ts';
import { makeLog } from '../../src/telemetry/log.ts';
import { ROOT } from '../../test/setup/root.ts';

/** A server in this process, on the offline model and the built-in room, with a history that can be checked. */
export type World = {
  readonly app: App;
  readonly dataDir: string;
  /** Posts a webhook and waits for its reply; how long a message may take is `limitMs`. */
  ask(room: string, text: string, limitMs?: number): Promise<Asked>;
  /** Everything that bots said in the room, in order. */
  replies(room: string): Promise<readonly string[]>;
  /** Makes the room's conversations forget everything. */
  forget(room: string): Promise<void>;
  close(): Promise<void>;
};

export type Asked = { readonly reply: string; readonly tookMs: number };

const LIMIT_MS = 120_000;
const LOOK_MS = 20;
const MOST_REPLIES = 200;

/** `agentExecutable` stands in for Claude's process. */
export async function openWorld(
  env: Readonly<Record<string, string>> = {},
  agentExecutable?: string,
): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'firekeeper-chaos-'));
  const { config } = readConfig(
    {
      ...{ PATH: process.env.PATH, LANG: 'en', PORT: '0', FLOOD_LIMITS: 'off' },
      ...{ DATA_DIR: join(folder, 'data'), ...env },
    },
    ROOT,
  );
  const log = makeLog({ level: 'silent', pretty: false });
  const app = await makeApp(config, {
    log,
    clock: systemClock,
    ...(agentExecutable === undefined ? {} : { agentExecutable }),
  });
  const seen = new Map<string, number>();

  async function replies(room: string, after = 0) {
    const messages = await app.parts.store.roomMessages.list(roomId(room), after, MOST_REPLIES);
    return messages.filter(({ author }) => author.isBot);
  }

  return {
    app,
    dataDir: config.dataDir,
    replies: async (room) => (await replies(room)).map(({ plainText }) => plainText),

    async ask(room, text, limitMs = LIMIT_MS) {
      const sentAt = performance.now();
      const answer = await fetch(`${app.address}/webhook`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          creator: { id: 1, name: 'David' },
          room: { id: room, name: room },
          content: text,
        }),
      });
      if (answer.status !== 200) throw new Error(`the webhook was answered ${answer.status}`);
      while (performance.now() - sentAt < limitMs) {
        const found = (await replies(room, seen.get(room) ?? 0)).at(0);
        if (found !== undefined) {
          seen.set(room, found.id);
          return { reply: found.plainText, tookMs: performance.now() - sentAt };
        }
        await systemClock.sleep(LOOK_MS);
      }
      throw new Error(`room ${room} had no reply within ${limitMs} ms`);
    },

    async forget(room) {
      const { store, sessions } = app.parts;
      for (const conversation of await store.sessions.conversationsOf(room))
        await sessions.forget(conversation);
    },

    async close() {
      await app.stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Runs `work` for every item, `atOnce` at a time. */
export async function inParallel<Item>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const workers = Array.from({ length: atOnce }, async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  });
  await Promise.all(workers);
}

/** A small generator of the same numbers for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
