/** How long the first text takes from each tier, beside the bare SDK doing the same. */
import { join } from 'node:path';
import { InMemorySessionStore } from '@anthropic-ai/claude-agent-sdk';
import type { Start } from '../src/base/terms.ts';
import { type BareAgent, type BareSdk, makeBareSdk } from './setup/bare-sdk.ts';
import { startLocalCampfire } from './setup/campfire.ts';
import { show } from './setup/format.ts';
import { startModelProcess } from './setup/model-process.ts';
import { type Bench, type Findings, type Requirement, type Row, runBench, toRow } from './setup/run.ts';
import { readSpec, toPlainPrompt } from './setup/spec.ts';
import { median } from './setup/statistics.ts';
import { startTurnServer, type TurnServer } from './setup/turns.ts';

const ROUNDS = 20;
/** Messages that a conversation holds before it is resumed for the first time. */
const HISTORY = 50;
const HOT_ROOM = '7';
const WARM_ROOM = '8';
const STATELESS_ROOM = '9';

/** What is measured, ours and bare; both in the same round. */
type Contest = {
  readonly what: string;
  ours(round: number): Promise<number>;
  bare(round: number): Promise<number>;
};
type Measured = { readonly ours: number[]; readonly bare: number[] };

const question = (number: number) =>
  `Question ${number}: what did we decide about the launch last week? Please answer exactly: We said that it comes after the tests, on Thursday.`;

async function measure(bench: Bench): Promise<Findings> {
  const contests = await prepareContests(bench);
  const measured = new Map(contests.map(({ what }): [string, Measured] => [what, { ours: [], bare: [] }]));
  // The first round fills the caches of the machine and counts for nobody.
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const { what, ours, bare } of contests) {
      bench.progress(`round ${round} of ${ROUNDS}: ${what}`);
      const bareMs = await bare(round);
      const oursMs = await ours(round);
      if (round === 0) continue;
      measured.get(what)?.bare.push(bareMs);
      measured.get(what)?.ours.push(oursMs);
    }
  }
  return toFindings(measured);
}

async function prepareContests(bench: Bench): Promise<readonly Contest[]> {
  const model = await startModelProcess(bench);
  const campfire = await startLocalCampfire(bench);
  const start = (name: string, more: Record<string, string>) =>
    startTurnServer(bench, campfire, { dataDir: join(bench.folder, name), model, campfire, more });
  const plain = await start('plain', { SPARE_AGENTS: '0', REWARM_SESSIONS: '0' });
  const stateless = await start('stateless', { SESSION_MODE: 'stateless', SPARE_AGENTS: '0' });
  const ahead = await start('ahead', { SPARE_AGENTS: '1', REWARM_SESSIONS: '0' });
  const sdk = await makeBareSdk(bench, await readSpec(model));

  bench.progress(`${HISTORY} messages before the first resume`);
  await plain.say(HOT_ROOM, question(0));
  for (let number = 1; number <= HISTORY; number += 1) await plain.say(WARM_ROOM, question(number));
  await plain.endProcess(WARM_ROOM);
  await stateless.say(STATELESS_ROOM, question(0));
  await ahead.spareReady();
  const live = sdk.start();
  bench.defer(live.close);
  await live.say(toPlainPrompt(HOT_ROOM, question(0)));
  const bareWarm = await makeBareHistory(sdk);
  const bareStateless = sdk.start();
  await once(bareStateless, question(0));

  return [
    {
      what: 'cold',
      ours: async (round) => {
        const firstTextMs = await sayFrom('new', plain, `${1_000 + round}`, question(round));
        await plain.forget(`${1_000 + round}`);
        return firstTextMs;
      },
      bare: (round) => once(sdk.start(), question(round)),
    },
    {
      what: 'spare',
      ours: async (round) => {
        const firstTextMs = await sayFrom('spare', ahead, `${2_000 + round}`, question(round));
        await ahead.forget(`${2_000 + round}`);
        await ahead.spareReady();
        return firstTextMs;
      },
      bare: async (round) => once((await sdk.prewarm())(), question(round)),
    },
    {
      what: 'warm',
      ours: async (round) => {
        const firstTextMs = await sayFrom('resumed', plain, WARM_ROOM, question(round));
        await plain.endProcess(WARM_ROOM);
        return firstTextMs;
      },
      bare: (round) => once(sdk.start(bareWarm), question(round)),
    },
    {
      what: 'rewarmed',
      ours: async (round) => {
        await plain.rewarm(WARM_ROOM);
        const firstTextMs = await sayFrom('rewarmed', plain, WARM_ROOM, question(round));
        await plain.endProcess(WARM_ROOM);
        return firstTextMs;
      },
      bare: async (round) => once((await sdk.startup(bareWarm))(), question(round)),
    },
    {
      what: 'hot',
      ours: (round) => sayFrom('reused', plain, HOT_ROOM, question(round)),
      bare: async (round) => (await live.say(toPlainPrompt(HOT_ROOM, question(round)))).firstTextMs,
    },
    {
      what: 'stateless',
      ours: async (round) => {
        const firstTextMs = await sayFrom('resumed', stateless, STATELESS_ROOM, question(round));
        await stateless.endProcess(STATELESS_ROOM);
        return firstTextMs;
      },
      bare: (round) => once(sdk.start({ resume: bareStateless.sessionId }), question(round)),
    },
  ];
}

/** First text of a turn whose process came as it should have. */
async function sayFrom(start: Start, server: TurnServer, room: string, text: string): Promise<number> {
  const { firstTextMs, record } = await server.say(room, text);
  if (record.start !== start)
    throw new Error(`a process was ${record.start} (${record.reason}), not ${start}`);
  return firstTextMs;
}

async function once(agent: BareAgent, text: string): Promise<number> {
  const { firstTextMs } = await agent.say(toPlainPrompt('1', text));
  await agent.close();
  return firstTextMs;
}

/** A bare session with as much history, in the SDK's own store in memory. */
async function makeBareHistory(sdk: BareSdk) {
  const store = new InMemorySessionStore();
  const first = sdk.start({ store });
  for (let number = 1; number <= HISTORY; number += 1) {
    await first.say(toPlainPrompt(WARM_ROOM, question(number)));
  }
  await first.close();
  return { store, resume: first.sessionId };
}

function toFindings(measured: ReadonlyMap<string, Measured>): Findings {
  const of = (what: string): Measured => {
    const found = measured.get(what);
    if (found === undefined) throw new Error(`${what} was not measured`);
    return found;
  };
  const rows: Row[] = [...measured].flatMap(([what, { ours, bare }]) => [
    toRow(`${what}: accepted → first text`, 'ms', ours),
    toRow(`${what}: bare SDK`, 'ms', bare),
  ]);
  const share = (what: string, base: string, most: number): Requirement => {
    const measured = median(of(what).ours) / median(of(base).ours);
    const met = measured <= most;
    return { what: `${what}, to ${base}`, must: `≤ ${most.toFixed(2)}`, measured: show(measured), met };
  };
  return {
    rows,
    requirements: [
      share('hot', 'cold', 0.1),
      share('rewarmed', 'warm', 0.3),
      share('spare', 'cold', 0.5),
      ...(['warm', 'cold'] as const).map((what) => nearBare(what, of(what))),
    ],
    notes: [
      `Ours and bare alternate in each round; the model has a process of its own and answers at once. Warm resumes ${HISTORY} messages and more, bare from the SDK's InMemorySessionStore, ours from the database. Stateless is a resume for each message, bare from the transcript in its home.`,
    ],
  };
}

function nearBare(what: string, { ours, bare }: Measured): Requirement {
  const most = median(bare) + Math.max(0.1 * median(bare), 50);
  return {
    what: `${what}, beside the bare SDK`,
    must: `≤ bare + max(10 %, 50 ms) = ${show(most)} ms`,
    measured: `${show(median(ours))} ms`,
    met: median(ours) <= most,
  };
}

await runBench('tiers', 'the first text from each tier', measure);
