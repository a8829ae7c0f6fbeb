/** A server that was stopped in the middle of a turn, and goes on when another one has long taken over. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, type Cluster, hasNoPostgres, startCluster } from '../setup/postgres-cluster.ts';
import { startEndpoint } from './endpoint.ts';
import { countIn } from './model.ts';
import { startServer, type TestServer, waitFor } from './server.ts';

const UNLOCKED = 'test/fixtures/unlocked-server.ts';

describe.skipIf(hasNoPostgres)('a server stopped by SIGSTOP in the middle of a turn', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.stop());

  /** A server with a turn whose answer is there, but for the server, which does not know: it is stopped. */
  async function startStopped(entry?: string) {
    const address = await cluster.makeDatabase();
    const endpoint = await startEndpoint('sk-of-the-stopped');
    const env = {
      DATABASE_URL: address,
      ANTHROPIC_BASE_URL: endpoint.url,
      ANTHROPIC_API_KEY: endpoint.key,
      SPARE_AGENTS: '0',
    };
    const start = () => startServer({ env, ...(entry === undefined ? {} : { entry }) });
    const first = await start();
    await first.say(1, 'my cat is called Momo');
    await first.replies(1, 1);
    await first.say(1, 'think for 1 second: who is my cat?');
    const isAsked = () => countIn(endpoint.model.requests().at(-1), 'think for 1 second') > 0;
    await waitFor(() => (isAsked() ? true : null));
    process.kill(first.pid, 'SIGSTOP');
    const all = endpoint.visits().filter(({ whole }) => whole.startsWith('POST')).length;
    await waitFor(() => (endpoint.answered() === all ? true : null));
    // As if more than a lease's time had gone by.
    await ask(address, 'update leases set expires_at = 0');
    return { address, start, first };
  }

  async function takeOver(second: TestServer): Promise<void> {
    const [, answer] = await second.replies(1, 2);
    expect(answer?.text).toContain('You said: “think for 1 second: who is my cat?”');
    expect(answer?.text).toContain('1. “my cat is called Momo”');
    expect((await second.turns(1))[0]).toMatchObject({ outcome: 'answered', tier: 'warm' });
    await waitFor(async () =>
      (await second.getJson<{ depth: number }>('/queue/stats')).depth === 0 ? true : null,
    );
  }

  it('changes no row and posts nothing when it goes on, held apart by fences alone', async () => {
    const { address, start, first } = await startStopped(UNLOCKED);
    const second = await start();
    await takeOver(second);
    const before = await readAll(address);
    expect(before).toContain('who is my cat?');

    process.kill(first.pid, 'SIGCONT');
    await waitFor(async () => {
      const metrics = await first.api('/metrics').then((answer) => answer.text());
      return /^firekeeper_fenced_out_total [1-9]/m.test(metrics) ? true : null;
    });
    await waitFor(async () =>
      (await first.getJson<{ queue: unknown; active_agents: number }>('/queue/stats')).active_agents === 0
        ? true
        : null,
    );
    expect(await readAll(address)).toBe(before);

    await second.say(1, 'are you still there?');
    const [, , next] = await second.replies(1, 3);
    expect(next?.text).toContain('message 3 of this conversation');
    expect((await second.turns(1))[0]).toMatchObject({ tier: 'hot' });
  });

  it('stops when it goes on and its lock is another one’s', async () => {
    const { address, start, first } = await startStopped();
    // A machine that sleeps is cut off by Postgres in half a minute.
    await ask(
      address,
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'firekeeper lock %'",
    );
    const second = await start();
    await takeOver(second);
    const before = await readAll(address);
    process.kill(first.pid, 'SIGCONT');
    expect(await first.exited).toBe(1);
    expect(first.output()).toContain('in use by another Firekeeper');
    expect(await readAll(address)).toBe(before);
    await second.say(1, 'are you still there?');
    expect((await second.replies(1, 3))[2]?.text).toContain('message 3 of this conversation');
  });
});

/** Every row of every table. */
async function readAll(address: string): Promise<string> {
  const tables = await ask(
    address,
    'select table_name as name from information_schema.tables where table_schema = current_schema() order by 1',
  );
  const rows = await Promise.all(
    tables.map(async ({ name }) => [
      name,
      await ask(address, `select * from ${name} as row order by row::text`),
    ]),
  );
  return JSON.stringify(rows, null, 1);
}
