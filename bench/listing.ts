/** How fast ten thousand conversations are listed. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startLocalCampfire } from './setup/campfire.ts';
import { show } from './setup/format.ts';
import { startBareListing } from './setup/front-door-process.ts';
import { startModelProcess } from './setup/model-process.ts';
import { type Bench, type Findings, runBench, toRow } from './setup/run.ts';
import { seedConversations } from './setup/seed.ts';
import { startServerProcess } from './setup/server-process.ts';
import { toServerEnv } from './setup/settings.ts';
import { summarize } from './setup/statistics.ts';

const KNOWN = 10_000;
const WARM_UP = 20;
const REQUESTS = 200;
const PATHS = ['/session/stats', '/api/sessions', '/api/sessions?limit=500'] as const;

async function measure(bench: Bench): Promise<Findings> {
  const dataDir = join(bench.folder, 'server');
  await seedConversations(dataDir, KNOWN);
  const model = await startModelProcess(bench);
  const campfire = await startLocalCampfire(bench);
  const server = await startServerProcess(bench, toServerEnv({ dataDir, model, campfire }));
  const measured = new Map<string, number[]>();
  for (const path of PATHS) {
    const file = join(bench.folder, 'listing.json');
    await writeFile(file, await (await server.api(path)).text());
    const bare = await startBareListing(bench, file);
    for (let count = 0; count < WARM_UP + REQUESTS; count += 1) {
      bench.progress(`${path}: request ${count + 1} of ${WARM_UP + REQUESTS}`);
      const bareMs = await timed(async () => (await fetch(bare)).arrayBuffer());
      const oursMs = await timed(async () => (await server.api(path)).arrayBuffer());
      if (count < WARM_UP) continue;
      add(measured, path, oursMs);
      add(measured, `bare Fastify: the same JSON as ${path}`, bareMs);
    }
  }
  return {
    rows: [...measured].map(([what, times]) => toRow(what, 'ms', times)),
    requirements: PATHS.map((path) => {
      const { p95 } = summarize(measured.get(path) ?? []);
      return { what: `${path}, p95`, must: '< 50 ms', measured: `${show(p95)} ms`, met: p95 < 50 };
    }),
    notes: [
      `${show(KNOWN)} conversations, each with a turn behind it; until the last byte of the answer is read. Bare Fastify writes an object that it holds in memory.`,
    ],
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

function add(measured: Map<string, number[]>, what: string, ms: number): void {
  measured.set(what, [...(measured.get(what) ?? []), ms]);
}

await runBench('listing', 'ten thousand conversations listed', measure);
