/** Messages that come while others are answered. */
import { describe, expect, it } from 'vitest';
import { startServer, type TestServer, waitFor } from './server.ts';

const BUSY = "⏳ I'm currently helping someone else in this room.";

/** What a reply quotes as said: the offline model repeats each message. */
function quotedIn(text: string): string | null {
  return /You said: “([^”]*)”/.exec(text)?.[1] ?? null;
}

describe('a message that comes while a turn of its room runs', () => {
  it('is answered after it, is told once that it waits, and holds up nobody else', async () => {
    const server = await startServer();
    await server.say('next door', 'warm up, please');
    await server.replies('next door', 1);

    await server.say('busy', 'first: think for 3 seconds');
    await Promise.all([server.say('busy', 'second to be asked'), server.say('busy', 'third to be asked')]);
    const health = await fetch(`${server.url}/health`);
    expect(await health.json()).toMatchObject({ status: 'healthy' });
    await server.say('next door', 'are you there?');
    expect(quotedIn((await server.replies('next door', 2))[1]?.text ?? '')).toBe('are you there?');
    // All of that was answered while the first message of the other room still was not.
    expect((await server.repliesSoFar('busy')).map(({ text }) => text)).toEqual([
      expect.stringContaining(BUSY),
    ]);

    const replies = await server.replies('busy', 4);
    const [first, ...others] = replies.slice(1).map(({ text }) => quotedIn(text));
    expect(first).toBe('first: think for 3 seconds');
    expect(others.sort()).toEqual(['second to be asked', 'third to be asked']);
    expect(await depthOf(server)).toBe(0);
    expect(await server.repliesSoFar('busy')).toHaveLength(4);
  });
});

describe('a message that waits for long', () => {
  it('is told so once, keeps its place and is answered', async () => {
    const server = await startServer({ env: { QUEUE_WAIT_SECONDS: '1' } });
    await server.say(1, 'warm up, please');
    const isWarm = (texts: readonly string[]) => texts.some((text) => quotedIn(text) === 'warm up, please');
    const before = await waitFor(async () => {
      const texts = (await server.repliesSoFar(1)).map(({ text }) => text);
      return isWarm(texts) ? texts.length : null;
    });
    await server.say(1, 'first: think for 3 seconds');
    await server.say(1, 'second to be asked');
    const replies = (await server.replies(1, before + 4)).map(({ text }) => text).slice(before);
    expect(replies).toEqual([
      expect.stringContaining(BUSY),
      expect.stringContaining('This takes longer than usual'),
      expect.stringContaining('You said: “first: think for 3 seconds”'),
      expect.stringContaining('You said: “second to be asked”'),
    ]);
  });
});

describe('two hundred webhooks in a second over twenty rooms', () => {
  const ROOMS = Array.from({ length: 20 }, (_, index) => `room-${index + 1}`);
  const MESSAGES = Array.from({ length: 10 }, (_, index) => `message ${index + 1}`);

  it('are each answered exactly once, in the order of their room, also those that come twice', async () => {
    const server = await startServer({ env: { MAX_HOT_SESSIONS: '6', FLOOD_LIMITS: 'off' } });
    const send = (room: string, message: string) =>
      server.say(room, `${message} of ${room}`, { id: `${room} ${message}` });
    // One after the other in a room, since only then they have an order; the rooms at once.
    const statuses = await Promise.all(
      ROOMS.map(async (room) => {
        const answers: number[] = [];
        for (const message of MESSAGES) answers.push((await send(room, message)).status);
        answers.push((await send(room, 'message 1')).status);
        return answers;
      }),
    );
    expect(new Set(statuses.flat())).toEqual(new Set([200]));

    await waitFor(async () => ((await depthOf(server)) === 0 ? true : null), { withinMs: 90_000 });
    await waitFor(() => (owed(server) === 0 ? true : null));
    for (const room of ROOMS) {
      const replies = (await server.repliesSoFar(room)).filter(({ text }) => !text.startsWith(BUSY));
      expect(replies.map(({ text }) => quotedIn(text))).toEqual(
        MESSAGES.map((message) => `${message} of ${room}`),
      );
    }
    const turns = await server.turns();
    expect(turns).toHaveLength(200);
    expect(new Set(turns.flatMap(({ inbox_ids }) => inbox_ids)).size).toBe(200);
  }, 120_000);
});

/** Messages that wait or run. */
async function depthOf(server: TestServer): Promise<number> {
  return (await server.getJson<{ depth: number }>('/queue/stats')).depth;
}

/** Replies that are not out yet. */
function owed(server: TestServer): number {
  return Number(server.rows('SELECT count(*) AS count FROM outbox WHERE ended_at IS NULL')[0]?.count);
}
