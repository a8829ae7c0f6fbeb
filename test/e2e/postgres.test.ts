/** A user's first days with `DATABASE_URL` set: what the other tests show on SQLite, once on Postgres. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, type Cluster, hasNoPostgres, PASSWORD, startCluster } from '../setup/postgres-cluster.ts';
import { startServer, waitFor } from './server.ts';

describe.skipIf(hasNoPostgres)('a server on Postgres', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.stop());

  /** The password may not be logged, in whichever way it is written. */
  async function start(address: string, dataDir?: string) {
    const server = await startServer({ env: { DATABASE_URL: address }, ...(dataDir ? { dataDir } : {}) });
    server.mayNotBeLogged(PASSWORD, encodeURIComponent(PASSWORD), address);
    return server;
  }

  it('answers, remembers, survives a kill, and forgets', async () => {
    const address = await cluster.makeDatabase();
    const first = await start(address);
    await first.say(1, 'my cat is called Momo', { id: '1' });
    await first.replies(1, 1);
    await first.say(1, 'and my dog is called Rex', { id: '2' });
    // The same webhook again is answered 200 and does nothing.
    expect((await first.say(1, 'and my dog is called Rex', { id: '2' })).status).toBe(200);
    const [, hot] = await first.replies(1, 2);
    expect(hot?.text).toContain('1. “my cat is called Momo”');
    expect(existsSync(join(first.dataDir, 'firekeeper.sqlite'))).toBe(false);
    await first.kill();

    const second = await start(address, first.dataDir);
    await second.say(1, 'who are my animals?', { id: '3' });
    const warm = (await second.replies(1, 3)).at(-1);
    expect(warm?.text).toContain('1. “my cat is called Momo” 2. “and my dog is called Rex”');
    const turns = (await second.turns(1)).toReversed();
    expect(turns.map(({ tier, outcome }) => [tier, outcome])).toEqual([
      ['cold', 'answered'],
      ['hot', 'answered'],
      ['warm', 'answered'],
    ]);
    expect(await second.api('/ready').then(({ status }) => status)).toBe(200);

    expect((await second.api('/session/clear/room/1', { method: 'POST' })).status).toBe(200);
    expect(await ask(address, 'select count(*)::int as count from transcript_entries')).toEqual([
      { count: 0 },
    ]);
    expect(await ask(address, "select 1 from inbox where text <> ''")).toEqual([]);
    await second.say(1, 'do you know my cat?', { id: '4' });
    const fresh = (await second.replies(1, 4)).at(-1);
    expect(fresh?.text).not.toContain('Momo');
    expect((await second.stop()).code).toBe(0);
    expect(
      await ask(address, "select 1 from pg_stat_activity where application_name like 'firekeeper%'"),
    ).toEqual([]);
  });

  it('refuses a second server, which names the first one', async () => {
    const address = await cluster.makeDatabase();
    const first = await start(address);
    await expect(startServer({ env: { DATABASE_URL: address } })).rejects.toThrow(
      new RegExp(`did not start: the database is in use by another Firekeeper \\(process ${first.pid} on `),
    );
  });

  it('stops when another one has taken the database over', async () => {
    const address = await cluster.makeDatabase();
    const server = await start(address);
    // As if it had been cut off long enough for another one to begin and to end.
    await ask(
      address,
      `update meta set value = '{"id":"another","pid":1,"host":"elsewhere"}' where key = 'server'`,
    );
    await ask(
      address,
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'firekeeper lock %'",
    );
    expect(await server.exited).toBe(1);
    expect(server.output()).toContain('in use by another Firekeeper (process 1 on elsewhere');
  });

  it('does not start without its database, and says why', async () => {
    const address = new URL(await cluster.makeDatabase());
    address.password = 'a-wrong-one-entirely';
    const refused: unknown = await startServer({ env: { DATABASE_URL: address.href } }).catch(
      (error) => error,
    );
    expect(String(refused)).toContain('did not start: Postgres says: password authentication failed');
    expect(String(refused)).not.toContain('a-wrong-one-entirely');
  });
});

describe.skipIf(hasNoPostgres)('a Postgres that stops and starts under load', () => {
  const ROOMS = [1, 2, 3];
  const MESSAGES = 6;
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.stop());

  it.each(['fast', 'immediate'] as const)(
    'costs no message, and no room reads an answer twice (%s)',
    async (how) => {
      const address = await cluster.makeDatabase();
      const server = await startServer({ env: { DATABASE_URL: address } });
      const refused: number[] = [];
      /** As a sender that tries again until it is told 200. */
      async function sayAll(room: number): Promise<void> {
        for (let index = 1; index <= MESSAGES; index += 1) {
          await waitFor(
            async () => {
              const asked = performance.now();
              const { status } = await server.say(room, `message ${index} of room ${room}`, {
                id: `${room}-${index}`,
              });
              if (status !== 200) refused.push(performance.now() - asked);
              return status === 200 ? true : null;
            },
            { withinMs: 60_000 },
          );
          await new Promise((resolve) => setTimeout(resolve, 700));
        }
      }

      await server.say(ROOMS[0] ?? 1, 'hello there, is anybody here?', { id: 'hello' });
      await server.replies(ROOMS[0] ?? 1, 1);
      const said = Promise.all(ROOMS.map(sayAll));
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      await cluster.stop(how);
      expect((await fetch(`${server.url}/health`)).status).toBe(200);
      await waitFor(() => (refused.length > 0 ? true : null));
      expect((await fetch(`${server.url}/ready`)).status).toBe(503);
      await cluster.start();
      await said;

      const open = 'select count(*)::int as count from inbox where ended_at is null';
      await waitFor(async () => ((await ask(address, open))[0]?.count === 0 ? true : null), {
        withinMs: 120_000,
      });
      for (const room of ROOMS) {
        const wanted = MESSAGES + (room === ROOMS[0] ? 1 : 0);
        await server.replies(room, wanted, 60_000);
      }
      await waitFor(
        async () =>
          (await ask(address, 'select 1 from outbox where ended_at is null')).length === 0 ? true : null,
        { withinMs: 60_000 },
      );
      const replies = await ask(
        address,
        "select inbox_id, count(*)::int as count from outbox where kind = 'reply' and state = 'sent' group by inbox_id",
      );
      expect(replies).toHaveLength(ROOMS.length * MESSAGES + 1);
      expect(replies.every(({ count }) => count === 1)).toBe(true);
      const shown = await ask(address, 'select plain_text from room_messages where author_is_bot = 1');
      const answers = shown
        .map(({ plain_text }) => String(plain_text))
        .filter((text) => text.includes('message '));
      expect(new Set(answers).size).toBe(answers.length);
      expect(await ask(address, "select id from inbox where state <> 'settled'")).toEqual([]);
      expect((await fetch(`${server.url}/ready`)).status).toBe(200);
    },
  );
});
