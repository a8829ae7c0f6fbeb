/** What the server holds for conversations that it knows, and its agents under a budget. */
import { join } from 'node:path';
import type { ModelEndpoint } from '../src/agent/agent.ts';
import { systemClock } from '../src/base/clock.ts';
import { makeBareSdk } from './setup/bare-sdk.ts';
import { type LocalCampfire, startLocalCampfire, toWebhook } from './setup/campfire.ts';
import { show } from './setup/format.ts';
import { inTime } from './setup/in-time.ts';
import { childMb, familiesMb, rssMb } from './setup/memory.ts';
import { startModelProcess } from './setup/model-process.ts';
import { type Bench, type Requirement, type Row, runBench, toRow } from './setup/run.ts';
import { seedConversations } from './setup/seed.ts';
import { postWebhook, startServerProcess } from './setup/server-process.ts';
import { toServerEnv } from './setup/settings.ts';
import { readSpec, toPlainPrompt } from './setup/spec.ts';
import { median } from './setup/statistics.ts';

const KNOWN = [0, 1_000, 10_000] as const;
const STARTS = 20;
/** After a start, for what it took to pass. */
const SETTLE_MS = 2_000;
const MOST_BYTES_EACH = 2_048;

const BUDGET_MB = 2_048;
const ROOMS = 50;
const ROUNDS = 2;
const SAMPLE_EVERY_MS = 250;
const BARE_PROCESSES = 20;

type World = { readonly bench: Bench; readonly model: ModelEndpoint; readonly campfire: LocalCampfire };
type Part = { readonly rows: readonly Row[]; readonly requirements: readonly Requirement[] };

async function measureKnown({ bench, model, campfire }: World): Promise<Part> {
  const held = new Map<number, number[]>(KNOWN.map((known) => [known, []]));
  const env = (known: number) =>
    toServerEnv({ dataDir: join(bench.folder, `known-${known}`), model, campfire });
  for (const known of KNOWN) await seedConversations(join(bench.folder, `known-${known}`), known);
  for (let start = 0; start < STARTS; start += 1) {
    bench.progress(`start ${start + 1} of ${STARTS}`);
    const servers = await Promise.all(
      KNOWN.map(async (known) => ({ known, server: await startServerProcess(bench, env(known)) })),
    );
    await systemClock.sleep(SETTLE_MS);
    for (const { known, server } of servers) held.get(known)?.push(await rssMb(server.pid));
    for (const { server } of servers) await server.stop();
  }
  const [none, , most] = KNOWN.map((known) => median(held.get(known) ?? []));
  const each = (((most ?? 0) - (none ?? 0)) * 1024 * 1024) / KNOWN[2];
  return {
    rows: [...held].map(([known, measured]) =>
      toRow(`the server, ${show(known)} conversations known`, 'MB', measured),
    ),
    requirements: [
      {
        what: 'memory of the server for each conversation that it knows',
        must: '≤ 2 kB',
        measured: `${show(each / 1024)} kB`,
        met: each <= MOST_BYTES_EACH,
      },
    ],
  };
}

async function measureBudget({ bench, model, campfire }: World): Promise<Part> {
  // Only the budget limits the number of processes.
  const more = { AGENT_MEMORY_BUDGET_MB: String(BUDGET_MB), MAX_HOT_SESSIONS: String(ROOMS) };
  const env = toServerEnv({ dataDir: join(bench.folder, 'budget'), model, campfire, more });
  const server = await startServerProcess(bench, env);
  const sums: number[] = [];
  const counts: number[] = [];
  const each: number[] = [];
  const stop = new AbortController();
  const sampling = sample();
  for (let message = 0; message < ROOMS * ROUNDS; message += 1) {
    bench.progress(`message ${message + 1} of ${ROOMS * ROUNDS}`);
    const room = String(message % ROOMS);
    const posted = campfire.nextPost(room);
    await postWebhook(server.webhookUrl, toWebhook(room, String(message), 'Hello'));
    await inTime(posted, 'a reply');
  }
  stop.abort();
  await sampling;
  await server.stop();

  async function sample(): Promise<void> {
    while (!stop.signal.aborted) {
      const families = await familiesMb(server.pid);
      sums.push(families.reduce((sum, one) => sum + one, 0));
      counts.push(families.length);
      each.push(...families);
      await systemClock.sleep(SAMPLE_EVERY_MS, stop.signal);
    }
  }

  const most = Math.max(...sums);
  const allowed = BUDGET_MB + Math.max(...each);
  return {
    rows: [
      toRow(`all agents, ${ROOMS} rooms in turn, budget of ${show(BUDGET_MB)} MB`, 'MB', sums),
      toRow('their processes', 'count', counts),
      toRow('one of them', 'MB', each),
    ],
    requirements: [
      {
        what: 'most memory of all agents',
        must: `≤ the budget and one process (${show(allowed)} MB)`,
        measured: `${show(most)} MB`,
        met: most <= allowed,
      },
    ],
  };
}

async function measureBare({ bench, model }: World): Promise<Row> {
  const sdk = await makeBareSdk(bench, await readSpec(model));
  const held: number[] = [];
  for (let count = 0; count < BARE_PROCESSES; count += 1) {
    bench.progress(`bare process ${count + 1} of ${BARE_PROCESSES}`);
    const agent = sdk.start();
    await agent.say(toPlainPrompt('1', 'Hello'));
    const mb = await childMb(process.pid);
    if (mb !== null) held.push(mb);
    await agent.close();
  }
  return toRow('bare SDK: one process after a turn', 'MB', held);
}

await runBench('memory', 'what conversations and agents hold', async (bench) => {
  const world = {
    bench,
    model: await startModelProcess(bench),
    campfire: await startLocalCampfire(bench),
  };
  const known = await measureKnown(world);
  const budget = await measureBudget(world);
  return {
    rows: [...known.rows, ...budget.rows, await measureBare(world)],
    requirements: [...known.requirements, ...budget.requirements],
    notes: [
      `The server: its resident memory ${SETTLE_MS} ms after a start. Agents: proportional memory of their families (resident where the system does not tell it), every ${SAMPLE_EVERY_MS} ms. MAX_HOT_SESSIONS is ${ROOMS}, so that only the budget limits them.`,
    ],
  };
});
