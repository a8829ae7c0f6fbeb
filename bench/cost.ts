/** How much of the turn before a turn sends again, byte for byte: what a provider's prompt cache can serve. */
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InMemorySessionStore } from '@anthropic-ai/claude-agent-sdk';
import { type OfflineModel, startOfflineModel } from '../src/agent/offline/offline-model.ts';
import { ROOT } from '../test/setup/root.ts';
import { makeBareSdk } from './setup/bare-sdk.ts';
import { startLocalCampfire } from './setup/campfire.ts';
import { show } from './setup/format.ts';
import { toEndpoint } from './setup/model-process.ts';
import { sharedPrefix } from './setup/prefix.ts';
import { type Bench, type Findings, runBench, toRow } from './setup/run.ts';
import { readSpec, toPlainPrompt } from './setup/spec.ts';
import { median } from './setup/statistics.ts';
import { startTurnServer } from './setup/turns.ts';

const TURNS = 20;
const ROOM = '7';
const MOST_REQUESTS = 1_000;

const question = (turn: number) => `Question ${turn}: what did we decide about the launch last week?`;

/** Says something; what the turn asked the model last is then compared with what the turn before it asked. */
type Say = (turn: number) => Promise<unknown>;
type Measured = { readonly shares: number[]; readonly bytes: number[] };

async function measure(bench: Bench): Promise<Findings> {
  const model = await startOfflineModel({ recordRequests: MOST_REQUESTS });
  bench.defer(model.close);
  const campfire = await startLocalCampfire(bench);
  const bots = join(bench.folder, 'bots');
  await cp(join(ROOT, 'bots'), bots, { recursive: true });
  const endpoint = toEndpoint(model.baseUrl);
  const server = await startTurnServer(bench, campfire, {
    dataDir: join(bench.folder, 'server'),
    model: endpoint,
    campfire,
    more: { BOTS_DIRS: bots },
  });
  const sdk = await makeBareSdk(bench, await readSpec(endpoint));

  const say: Say = (turn) => server.say(ROOM, question(turn));
  await say(0);
  const measured = new Map<string, Measured>();
  const run = async (what: string, one: Say) => {
    bench.progress(what);
    measured.set(what, await compare(model, one));
  };
  await run('hot', say);
  await run('rewarmed', async (turn) => {
    await server.endProcess(ROOM);
    await server.rewarm(ROOM);
    await say(turn);
  });
  await run('warm', async (turn) => {
    await server.endProcess(ROOM);
    await say(turn);
  });
  await run('warm, after an edited bot file', async (turn) => {
    await writeFile(
      join(bots, 'prompts', 'assistant.md'),
      `You are a friendly colleague, edition ${turn}.\n`,
    );
    await server.app.parts.bots.reload();
    await say(turn);
  });

  const store = new InMemorySessionStore();
  const live = sdk.start({ store });
  await live.say(toPlainPrompt(ROOM, question(0)));
  await run('bare SDK: a live query', (turn) => live.say(toPlainPrompt(ROOM, question(turn))));
  await live.close();
  await run('bare SDK: a query that resumes', async (turn) => {
    const agent = sdk.start({ store, resume: live.sessionId });
    await agent.say(toPlainPrompt(ROOM, question(turn)));
    await agent.close();
  });
  return toFindings(measured);
}

async function compare(model: OfflineModel, say: Say): Promise<Measured> {
  const measured: Measured = { shares: [], bytes: [] };
  let before = model.requests().at(-1);
  for (let turn = 1; turn <= TURNS; turn += 1) {
    await say(turn);
    const after = model.requests().at(-1);
    if (before === undefined || after === undefined) throw new Error('a turn asked nothing of the model');
    const { sharedBytes, earlierBytes } = sharedPrefix(before, after);
    measured.shares.push((100 * sharedBytes) / earlierBytes);
    measured.bytes.push(sharedBytes);
    before = after;
  }
  return measured;
}

function toFindings(measured: ReadonlyMap<string, Measured>): Findings {
  const least = (what: string) => Math.min(...(measured.get(what)?.shares ?? [0]));
  return {
    rows: [...measured].flatMap(([what, { shares, bytes }]) => [
      toRow(`${what}: of the request before`, '%', shares),
      toRow(`${what}: shared prefix`, 'bytes', bytes),
    ]),
    requirements: ['hot', 'rewarmed', 'warm'].map((what) => ({
      what: `${what}: least share of the earlier request that stands at the start of the next`,
      must: '100 %',
      measured: `${show(least(what))} %`,
      met: least(what) === 100,
    })),
    notes: [
      `Counted over the last requests of two turns in a row: tools, system prompt and messages, in the order in which a provider caches them, as JSON without cache marks; up to the first byte that differs, of the bytes of the earlier request. ${show(median(measured.get('hot')?.bytes ?? []))} bytes are about ${show(median(measured.get('hot')?.bytes ?? []) / 4)} tokens. The model is the offline one, so there are no dollars and no cached tokens to report.`,
    ],
  };
}

await runBench('cost', 'what a turn sends again unchanged', measure);
