/** The predecessor's scenario in both modes: a question, two follow-ups, a restart, two more, with a model of 2 s. */
import { join } from 'node:path';
import type { ModelEndpoint } from '../src/agent/agent.ts';
import { systemClock } from '../src/base/clock.ts';
import { type BareAgent, type BareSdk, makeBareSdk } from './setup/bare-sdk.ts';
import { type LocalCampfire, startLocalCampfire, toWebhook } from './setup/campfire.ts';
import { show } from './setup/format.ts';
import { inTime } from './setup/in-time.ts';
import { startModelProcess } from './setup/model-process.ts';
import { type Bench, type Findings, runBench, toRow } from './setup/run.ts';
import { postWebhook, type ServerProcess, startServerProcess } from './setup/server-process.ts';
import { toServerEnv } from './setup/settings.ts';
import { readSpec, toPlainPrompt } from './setup/spec.ts';
import { median } from './setup/statistics.ts';

const MODEL_MS = 2_000;
/** Three follow-ups each. */
const SCENARIOS = 10;
/**
 * When the lanes begin a step, so that none takes the processor from another: the second works while the first waits for
 * the model and ends when the first has ended its process too; the third begins when both are done.
 */
const LANE_BEGINS_MS = [0, 1_200, 3_400] as const;
/** Nobody writes in the very moment of a restart. */
const AFTER_RESTART_MS = 1_500;

const STEPS = ['first question', 'follow-up', 'follow-up', 'first after the restart', 'follow-up'] as const;
const BARE = { live: 'bare live query', each: 'bare query for each message' } as const;
type Mode = 'stateful' | 'stateless';
type Times = Map<string, number[]>;

const question = (step: number) => `Question ${step}. Please answer exactly: Yes, that is right.`;

type Lane = {
  name(scenario: number): string;
  say(scenario: number, step: number): Promise<number>;
  restart(): Promise<void>;
  endScenario(): Promise<void>;
};

async function measure(bench: Bench): Promise<Findings> {
  const model = await startModelProcess(bench, MODEL_MS);
  const campfire = await startLocalCampfire(bench);
  const sdk = await makeBareSdk(bench, await readSpec(model));
  const lanes = [
    await makeServerLane(bench, 'stateless', model, campfire),
    await makeServerLane(bench, 'stateful', model, campfire),
    makeBareLane(bench, sdk),
  ];
  const times: Times = new Map();
  for (let scenario = 0; scenario < SCENARIOS; scenario += 1) {
    for (const [step, name] of STEPS.entries()) {
      bench.progress(`scenario ${scenario + 1} of ${SCENARIOS}: ${name}`);
      if (name === 'first after the restart') {
        for (const lane of lanes) await lane.restart();
        await systemClock.sleep(AFTER_RESTART_MS);
      }
      await Promise.all(
        lanes.map(async (lane, index) => {
          await systemClock.sleep(LANE_BEGINS_MS[index] ?? 0);
          const tookMs = await lane.say(scenario, step);
          add(times, `${lane.name(scenario)}: ${name}`, tookMs - MODEL_MS);
        }),
      );
    }
    for (const lane of lanes) await lane.endScenario();
  }
  return toFindings(times);
}

async function makeServerLane(
  bench: Bench,
  mode: Mode,
  model: ModelEndpoint,
  campfire: LocalCampfire,
): Promise<Lane> {
  const start = (): Promise<ServerProcess> =>
    startServerProcess(
      bench,
      toServerEnv({ dataDir: join(bench.folder, mode), model, campfire, more: { SESSION_MODE: mode } }),
    );
  let server = await start();
  return {
    name: () => mode,
    async say(scenario, step) {
      const room = String((mode === 'stateful' ? 1_000 : 2_000) + scenario);
      const posted = campfire.nextPost(room);
      const begun = performance.now();
      await postWebhook(server.webhookUrl, toWebhook(room, `${scenario}-${step}`, question(step)));
      return (await inTime(posted, `a reply in ${mode} mode`)) - begun;
    },
    async restart() {
      await server.stop();
      server = await start();
    },
    endScenario: async () => {},
  };
}

/** By turns a live query for a whole scenario, and a query that resumes for each message. There is nothing to restart. */
function makeBareLane(bench: Bench, sdk: BareSdk): Lane {
  let live: BareAgent | null = null;
  bench.defer(() => live?.close());
  return {
    name: (scenario) => (scenario % 2 === 0 ? BARE.live : BARE.each),
    async say(scenario, step) {
      const text = toPlainPrompt('1', question(step));
      const isLive = scenario % 2 === 0;
      const agent: BareAgent =
        live === null ? sdk.start() : isLive ? live : sdk.start({ resume: live.sessionId });
      live = agent;
      const { endedMs } = await agent.say(text);
      if (!isLive) await agent.close();
      return endedMs;
    },
    restart: async () => {},
    async endScenario() {
      await live?.close();
      live = null;
    },
  };
}

function toFindings(times: Times): Findings {
  const followUps = (lane: string): number => median(times.get(`${lane}: follow-up`) ?? []);
  const stateless = followUps('stateless');
  const stateful = followUps('stateful');
  const cut = 1 - stateful / stateless;
  const bareLive = followUps(BARE.live);
  const bareCut = 1 - bareLive / followUps(BARE.each);
  const whole = 1 - (MODEL_MS + stateful) / (MODEL_MS + stateless);
  return {
    rows: [...times].map(([what, measured]) => toRow(`${what}, over the model`, 'ms', measured)),
    requirements: [
      {
        what: "follow-ups: stateful mode cuts stateless mode's overhead by",
        must: '≥ 90 %',
        measured: `${show(100 * cut)} %`,
        met: cut >= 0.9,
      },
    ],
    notes: [
      `Over the model: from the webhook to the reply in the chat, less the model's ${MODEL_MS} ms; of the whole turn stateful mode saves ${show(100 * whole)} %. The bare SDK: a live query and a query that resumes for each message, a scenario each in turn, until its result. The first message after a restart comes ${AFTER_RESTART_MS} ms after the server listens.`,
      `The bare SDK's own cut, with nothing on disk and no chat: ${show(100 * bareCut)} %. For 90 % a follow-up may take ${show(0.1 * stateless)} ms over the model, of which the bare live query takes ${show(bareLive)}.`,
    ],
  };
}

function add(times: Times, what: string, tookMs: number): void {
  const known = times.get(what) ?? [];
  known.push(tookMs);
  times.set(what, known);
}

await runBench('headline', 'the whole scenario, stateful beside stateless', measure);
