/** More than the server takes in: what the rooms read, what is refused, and what goes on all the same. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { KEVIN, startServer, type TestServer, waitFor } from './server.ts';

const NOTICE = "⚠️ Sorry, I'm overloaded right now.";

/** What the server counted of them, by the limit that was reached. */
async function overloads(server: TestServer): Promise<Record<string, number>> {
  const metrics = await (await server.api('/metrics')).text();
  const lines = metrics.matchAll(/^firekeeper_overloaded_total\{limit="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, limit = '', count]) => [limit, Number(count)]));
}

/** Nobody but us writes while this holds. */
function holdDatabase(server: TestServer): () => void {
  // The server may be writing in this very moment.
  const database = new DatabaseSync(join(server.dataDir, 'firekeeper.sqlite'), { timeout: 5_000 });
  database.exec('BEGIN IMMEDIATE');
  let isHeld = true;
  const release = () => {
    if (isHeld) database.close();
    isHeld = false;
  };
  onTestFinished(release);
  return release;
}

describe('a person who writes too much', () => {
  it('is told so once in each room, and everybody else is answered', async () => {
    const server = await startServer({ env: { FLOOD_LIMITS: '6,100,100,20' } });
    const rooms = Array.from({ length: 12 }, (_, n) => `room ${n % 4}`);
    const answers = await Promise.all(
      rooms.map((room, n) => server.say(room, `answer exactly: ${n} of a flood`)),
    );
    expect(answers.map(({ status }) => status)).toEqual(rooms.map(() => 200));
    await server.say('elsewhere', 'answer exactly: calm', { user: KEVIN });
    expect((await server.replies('elsewhere', 1)).at(-1)?.text).toBe('calm');
    expect(await overloads(server)).toEqual({ user: 6 });

    await waitFor(async () => {
      const { depth } = await server.getJson<{ depth: number }>('/queue/stats');
      const [owed] = server.rows('SELECT count(*) AS count FROM outbox WHERE ended_at IS NULL');
      return depth === 0 && owed?.count === 0 ? true : null;
    });
    const texts = (await Promise.all([0, 1, 2, 3].map((n) => server.repliesSoFar(`room ${n}`)))).flat();
    expect(texts.filter(({ text }) => /of a flood$/.test(text))).toHaveLength(6);
    const noticed = server.rows(
      "SELECT room_id, count(*) AS count FROM outbox WHERE kind = 'overloaded' GROUP BY 1",
    );
    expect(noticed.length).toBeGreaterThan(0);
    expect(noticed.every(({ count }) => count === 1)).toBe(true);
    expect(texts.filter(({ text }) => text.startsWith(NOTICE))).toHaveLength(noticed.length);
    const states = server.rows(
      'SELECT state, outcome, count(*) AS count FROM inbox GROUP BY 1, 2 ORDER BY 2',
    );
    expect(states).toEqual([
      { state: 'settled', outcome: 'answered', count: 7 },
      { state: 'settled', outcome: 'notice', count: 6 },
    ]);
  });

  it('can still say /stop in a room that is full', async () => {
    const server = await startServer({ env: { FLOOD_LIMITS: '100,100,100,2' } });
    await server.say(1, 'think for 20 seconds');
    await waitFor(() =>
      server.rows("SELECT id FROM inbox WHERE state = 'running'").length === 1 ? true : null,
    );
    for (const text of ['one that waits', 'two that wait', 'three is too many']) await server.say(1, text);
    expect(await overloads(server)).toEqual({ conversation: 1 });
    await server.say(1, '/stop');
    await waitFor(async () => {
      const { depth } = await server.getJson<{ depth: number }>('/queue/stats');
      return depth === 0 ? true : null;
    });
    const buried = server.rows("SELECT text FROM inbox WHERE state = 'buried' ORDER BY id");
    expect(buried.map(({ text }) => text)).toEqual(
      expect.arrayContaining(['one that waits', 'two that wait']),
    );
  });
});

describe('/health', () => {
  it('answers while two hundred webhooks wait for the database, which then takes them all', async () => {
    const server = await startServer({ env: { FLOOD_LIMITS: 'off' } });
    const release = holdDatabase(server);
    const order: string[] = [];
    const webhooks = Array.from({ length: 200 }, async (_, n) => {
      const { status } = await server.say(`room ${n % 20}`, `answer exactly: ${n}`);
      order.push('webhook');
      return status;
    });
    for (let asked = 0; asked < 5; asked += 1) {
      const health = await fetch(`${server.url}/health`);
      expect(await health.json()).toMatchObject({ status: 'healthy' });
      order.push('health');
    }
    expect(order).toEqual(['health', 'health', 'health', 'health', 'health']);
    release();
    expect(new Set(await Promise.all(webhooks))).toEqual(new Set([200]));
    expect(server.rows('SELECT count(*) AS count FROM inbox')).toEqual([{ count: 200 }]);
  }, 120_000);

  it('answers while the database is held for longer than a webhook waits, which is then told to come again', async () => {
    const server = await startServer();
    const release = holdDatabase(server);
    const webhook = server.say(1, 'answer exactly: lost');
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    const refused = await webhook;
    expect([refused.status, refused.headers.get('x-firekeeper-error')]).toEqual([503, 'not_stored']);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await refused.text()).toBe('');
    release();
    await server.say(1, 'answer exactly: taken');
    expect((await server.replies(1, 1)).map(({ text }) => text)).toEqual(['taken']);
  });
});
