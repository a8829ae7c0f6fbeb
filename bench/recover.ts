/** How long a waiting message waits when the server is killed and started again, with a thousand before and behind it. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { type OfflineModel, startOfflineModel } from '../src/agent/offline/offline-model.ts';
import { systemClock } from '../src/base/clock.ts';
import { startBareQuery } from './setup/bare-query-process.ts';
import { type LocalCampfire, startLocalCampfire, toWebhook } from './setup/campfire.ts';
import { show } from './setup/format.ts';
import { inTime } from './setup/in-time.ts';
import { toEndpoint } from './setup/model-process.ts';
import { type Bench, type Findings, runBench, toRow } from './setup/run.ts';
import { postWebhook, type ServerProcess, startServerProcess } from './setup/server-process.ts';
import { toServerEnv } from './setup/settings.ts';
import { median } from './setup/statistics.ts';

const WAITING = 1_000;
const ROOMS = 100;
const ROUNDS = 20;
const POSTS_AT_ONCE = 20;
const NEVER_MS = 3_600_000;
/** Both turns that may start at once are with the model by then. */
const TURNS_RUN = 2;
const LOOK_EVERY_MS = 5;

/** From the kill, in milliseconds. */
type Times = { readonly listensMs: number; readonly askedMs: number; readonly postedMs: number };
type World = { readonly bench: Bench; readonly model: OfflineModel; readonly campfire: LocalCampfire };

async function measure(bench: Bench): Promise<Findings> {
  const model = await startOfflineModel({ recordRequests: 1 });
  bench.defer(model.close);
  const world = { bench, model, campfire: await startLocalCampfire(bench) };
  const template = join(bench.folder, 'template');
  await fill(world, template);

  const restarts: Times[] = [];
  const bare: number[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    bench.progress(`round ${round} of ${ROUNDS}`);
    model.setSpeed({ ttftMs: 0, tokensPerSecond: null });
    bare.push(await startBareQuery(bench, toEndpoint(model.baseUrl)));
    const dataDir = join(bench.folder, `round-${round}`);
    await cp(template, dataDir, { recursive: true });
    restarts.push(await killAndRestart(world, dataDir));
  }
  const firstPosted = restarts.map(({ postedMs }) => postedMs);
  const typical = median(firstPosted);
  return {
    rows: [
      toRow(
        'killed → the new server listens',
        'ms',
        restarts.map(({ listensMs }) => listensMs),
      ),
      toRow(
        'killed → the model is asked by the first turn',
        'ms',
        restarts.map(({ askedMs }) => askedMs),
      ),
      toRow('killed → the first waiting message is answered in the chat', 'ms', firstPosted),
      toRow('bare SDK: a new Node process → result of query()', 'ms', bare),
    ],
    requirements: [
      {
        what: `the first answer after a kill, ${show(WAITING)} rows waiting, p50`,
        must: '≤ 2 s',
        measured: `${show(typical / 1_000)} s`,
        met: typical <= 2_000,
      },
    ],
    notes: [
      `The server is killed while ${TURNS_RUN} turns wait for their model, and started again in the same moment; it first ends the agents that were left behind. The model answers at once from the kill on.`,
    ],
  };
}

function start(
  { bench, model, campfire }: World,
  dataDir: string,
  more: Record<string, string> = {},
): Promise<ServerProcess> {
  return startServerProcess(
    bench,
    toServerEnv({
      dataDir,
      model: toEndpoint(model.baseUrl),
      campfire,
      more: { DRAIN_SECONDS: '0', ...more },
    }),
  );
}

/** A folder as a killed server leaves it, with all messages waiting. */
async function fill(world: World, dataDir: string): Promise<void> {
  world.model.setSpeed({ ttftMs: NEVER_MS, tokensPerSecond: null });
  const server = await start(world, dataDir, { MAX_HOT_SESSIONS: '1', SPARE_AGENTS: '0' });
  for (let first = 0; first < WAITING; first += POSTS_AT_ONCE) {
    const posts = Array.from({ length: POSTS_AT_ONCE }, (_, index) => {
      const number = first + index;
      return postWebhook(server.webhookUrl, toWebhook(String(number % ROOMS), String(number), 'Hello'));
    });
    await Promise.all(posts);
  }
  await server.kill();
}

async function killAndRestart(world: World, dataDir: string): Promise<Times> {
  const { model, campfire } = world;
  model.setSpeed({ ttftMs: NEVER_MS, tokensPerSecond: null });
  const asks = countAsks(model);
  const killed = await start(world, dataDir);
  await inTime(asks.reach(TURNS_RUN), 'the turns before the kill');
  const posted = new Promise<number>((resolve) => campfire.onPost((_, at) => resolve(at)));
  const before = asks.count();

  const killedAt = performance.now();
  await killed.kill();
  model.setSpeed({ ttftMs: 0, tokensPerSecond: null });
  const restarting = start(world, dataDir);
  const asked = asks.reach(before + 1).then(() => performance.now());
  const restarted = await restarting;
  const listensAt = performance.now();
  const times = {
    listensMs: listensAt - killedAt,
    askedMs: (await inTime(asked, 'the first question after the kill')) - killedAt,
    postedMs: (await inTime(posted, 'the first answer after the kill')) - killedAt,
  };
  asks.stop();
  await restarted.stop();
  return times;
}

/** Counts the questions to the model by its script, which is asked before each answer and never answers itself. */
function countAsks(model: OfflineModel) {
  let count = 0;
  model.setScript(() => {
    count += 1;
    return null;
  });
  return {
    count: () => count,
    async reach(wanted: number): Promise<void> {
      while (count < wanted) await systemClock.sleep(LOOK_EVERY_MS);
    },
    stop: () => model.setScript(null),
  };
}

await runBench('recover', 'from a kill to the first answer', measure);
