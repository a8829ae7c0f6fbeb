/** A hundred messages in ten rooms at once: who waits for whom, and how many processes start at a time. */
import { join } from 'node:path';
import type { TurnRecord } from '../src/turn/turn.ts';
import { type BareSdk, makeBareSdk } from './setup/bare-sdk.ts';
import { startLocalCampfire, toWebhook } from './setup/campfire.ts';
import { show } from './setup/format.ts';
import { inTime } from './setup/in-time.ts';
import { startModelProcess } from './setup/model-process.ts';
import { type Bench, type Findings, type Row, runBench, toRow } from './setup/run.ts';
import { postWebhook } from './setup/server-process.ts';
import { BOT_ID } from './setup/settings.ts';
import { readSpec, toPlainPrompt } from './setup/spec.ts';
import { watchStarts } from './setup/starts.ts';
import { startTurnServer, type TurnServer } from './setup/turns.ts';
import { freePlaceWaits } from './setup/waits.ts';

const ROOMS = 10;
const MESSAGES = 100;
const ROUNDS = 3;
/** Processes that may start at once on two cores. */
const STARTS_AT_ONCE = 2;
/** Fewer than rooms: then a room has to wait for another one's turn. */
const FEW_PLACES = 4;
/** What one turn takes from the other's end to its own start, with all processors busy, is no waiting. */
const NO_WAIT_MS = 250;

type Burst = {
  readonly answeredMs: readonly number[];
  readonly firstMs: readonly number[];
  readonly freePlaceWaitsMs: readonly number[];
  readonly mostStarting: number;
};

async function measure(bench: Bench): Promise<Findings> {
  const model = await startModelProcess(bench);
  const campfire = await startLocalCampfire(bench);
  const start = (name: string, places: number) =>
    startTurnServer(bench, campfire, {
      dataDir: join(bench.folder, name),
      model,
      campfire,
      // A spare that is claimed starts nothing, and cannot be told from one that starts.
      more: { MAX_HOT_SESSIONS: String(places), SPARE_AGENTS: '0' },
    });
  const wide = await start('wide', ROOMS + 2);
  const narrow = await start('narrow', FEW_PLACES);
  const sdk = await makeBareSdk(bench, await readSpec(model));
  const bursts: { wide: Burst[]; narrow: Burst[]; bare: Burst[] } = { wide: [], narrow: [], bare: [] };
  for (let round = 1; round <= ROUNDS; round += 1) {
    bench.progress(`round ${round} of ${ROUNDS}`);
    bursts.bare.push(await runBare(sdk));
    bursts.wide.push(await runBurst(wide, 10_000 * round, ROOMS + 2));
    bursts.narrow.push(await runBurst(narrow, 10_000 * round, FEW_PLACES));
  }
  const waits = [...bursts.wide, ...bursts.narrow].flatMap((burst) => burst.freePlaceWaitsMs);
  const longest = Math.max(0, ...waits);
  const starting = Math.max(...[...bursts.wide, ...bursts.narrow].map(({ mostStarting }) => mostStarting));
  return {
    rows: [
      ...toRows('a place for each room', bursts.wide),
      ...toRows(`${FEW_PLACES} places`, bursts.narrow),
      ...toRows('bare SDK: ten queries at once', bursts.bare),
      toRow('a message waited while a place was free', 'ms', waits),
    ],
    requirements: [
      {
        what: 'longest wait for another room while a place was free',
        must: `≤ ${NO_WAIT_MS} ms`,
        measured: `${show(longest)} ms`,
        met: longest <= NO_WAIT_MS,
      },
      {
        what: 'processes that started at the same time, most',
        must: `≤ ${STARTS_AT_ONCE}`,
        measured: show(starting),
        met: starting <= STARTS_AT_ONCE,
      },
    ],
    notes: [
      `${MESSAGES} messages in ${ROOMS} new rooms, accepted at once; the model answers at once. A bare query gets ${MESSAGES / ROOMS} messages, one after the other.`,
    ],
  };
}

async function runBurst(server: TurnServer, firstRoom: number, places: number): Promise<Burst> {
  const { app } = server;
  const countStarts = await watchStarts(server);
  const begun = performance.now();
  const records: TurnRecord[] = [];
  const answered: number[] = [];
  const firsts = new Map<string, number>();
  const done = Promise.withResolvers<void>();
  const unsubscribe = app.turnEvents.subscribe((event) => {
    const ms = performance.now() - begun;
    if (event.type === 'text.delta' && !firsts.has(event.conversation)) firsts.set(event.conversation, ms);
    if (event.type === 'turn.failed') done.reject(new Error(`a turn: ${event.outcome}`));
    if (event.type !== 'turn.finished') return;
    records.push(event.turn);
    answered.push(ms);
    if (records.length === MESSAGES) done.resolve();
  });
  const posts = Array.from({ length: MESSAGES }, (_, index) => {
    const room = String(firstRoom + (index % ROOMS));
    const body = toWebhook(room, `${room}-${index}`, `Message ${index}`);
    return postWebhook(`${app.address}/webhook/${BOT_ID}`, body);
  });
  await Promise.all(posts);
  await inTime(done.promise, 'the last answer');
  unsubscribe();
  const mostStarting = await countStarts();
  for (let room = 0; room < ROOMS; room += 1) await server.forget(String(firstRoom + room));
  const freePlaceWaitsMs = freePlaceWaits(records, places);
  return { answeredMs: answered, firstMs: [...firsts.values()], freePlaceWaitsMs, mostStarting };
}

async function runBare(sdk: BareSdk): Promise<Burst> {
  const begun = performance.now();
  const answered: number[] = [];
  const firsts: number[] = [];
  const rooms = Array.from({ length: ROOMS }, async (_, room) => {
    const agent = sdk.start();
    for (let message = 0; message < MESSAGES / ROOMS; message += 1) {
      const { firstTextMs } = await agent.say(toPlainPrompt(String(room), `Message ${message}`));
      answered.push(performance.now() - begun);
      if (message === 0) firsts.push(firstTextMs);
    }
    return agent;
  });
  const agents = await Promise.all(rooms);
  await Promise.all(agents.map((agent) => agent.close()));
  return { answeredMs: answered, firstMs: firsts, freePlaceWaitsMs: [], mostStarting: ROOMS };
}

function toRows(what: string, bursts: readonly Burst[]): readonly Row[] {
  return [
    toRow(
      `${what}: the first text of each room`,
      'ms',
      bursts.flatMap(({ firstMs }) => firstMs),
    ),
    toRow(
      `${what}: answers`,
      'ms',
      bursts.flatMap(({ answeredMs }) => answeredMs),
    ),
    toRow(
      `${what}: the last answer`,
      'ms',
      bursts.map(({ answeredMs }) => Math.max(...answeredMs)),
    ),
  ];
}

await runBench('burst', 'a hundred messages in ten rooms at once', measure);
