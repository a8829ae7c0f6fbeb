/** A user's first days with `DATABASE_URL` set: what the other tests show on SQLite, once on Postgres. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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

  it('goes on when Postgres is restarted under it: 503 meanwhile, nothing lost, nothing twice', async () => {
    const rooms = [1, 2];
    const address = await cluster.makeDatabase();
    const server = await start(address);
    let refused = 0;
    /** As somebody who tries again until it is told 200. */
    async function say(room: number, index: number): Promise<void> {
      await waitFor(async () => {
        const { status } = await server.say(room, `note ${index} of room ${room}`, {
          id: `${room}-${index}`,
        });
        if (status !== 200) refused += 1;
        return status === 200 ? true : null;
      });
    }

    // A turn is under way in each room when it goes.
    await Promise.all(rooms.map((room) => say(room, 1)));
    await cluster.stop();
    const meanwhile = Promise.all(rooms.map((room) => say(room, 2)));
    await waitFor(() => (refused > 0 ? true : null));
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    expect((await fetch(`${server.url}/ready`)).status).toBe(503);
    await cluster.start();
    await meanwhile;
    await Promise.all(rooms.map((room) => say(room, 3)));

    for (const room of rooms) {
      // Beside the answers a room may have been told that the bot is busy.
      const answers = await waitFor(
        async () => {
          const found = (await server.repliesSoFar(room)).filter(({ text }) => text.includes('You said: '));
          return found.length >= 3 ? found : null;
        },
        { withinMs: 90_000 },
      );
      expect(answers).toHaveLength(3);
      expect(answers.at(-1)?.text).toContain(
        `Earlier in this conversation: 1. “note 1 of room ${room}” 2. “note 2 of room ${room}”`,
      );
    }
    expect(await ask(address, "select 1 from inbox where state <> 'settled'")).toEqual([]);
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
  });

  it('takes over what was said on SQLite, after move-to-postgres', async () => {
    const first = await startServer();
    await first.say(1, 'my cat is called Momo', { id: '1' });
    await first.replies(1, 1);
    expect(await move(first.dataDir, await cluster.makeDatabase())).toMatchObject({
      ok: false,
      reason: expect.stringContaining('is in use by process'),
    });
    await first.stop();

    const address = await cluster.makeDatabase();
    const moved = await move(first.dataDir, address);
    expect(moved).toMatchObject({ ok: true, rows: { inbox: 1, sessions: 1, turns: 1 } });
    const second = await start(address, first.dataDir);
    expect((await second.say(1, 'my cat is called Momo', { id: '1' })).status).toBe(200);
    await second.say(1, 'who is my cat?', { id: '2' });
    const replies = await second.replies(1, 2);
    expect(replies).toHaveLength(2);
    expect(replies.at(-1)?.text).toContain('Earlier in this conversation: 1. “my cat is called Momo”');
    expect((await second.turns(1)).map(({ tier }) => tier)).toEqual(['warm', 'cold']);
  });
});

/** What the command says, as an operator's script reads it. */
function move(dataDir: string, address: string): Promise<unknown> {
  const cli = fileURLToPath(new URL('../../src/cli/cli.ts', import.meta.url));
  const env = { PATH: process.env.PATH, DATA_DIR: dataDir, DATABASE_URL: address };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [cli, 'move-to-postgres', '--json'], { env }, (error, out, err) => {
      if (out === '') reject(new Error(err, { cause: error }));
      else resolve(JSON.parse(out));
    });
  });
}
