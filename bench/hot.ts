/** What a turn on a live process costs beyond the bare SDK: to its first text, and until its reply is posted. */
import { join } from 'node:path';
import { makeBareSdk } from './setup/bare-sdk.ts';
import { startLocalCampfire } from './setup/campfire.ts';
import { show } from './setup/format.ts';
import { makeFsyncProbe } from './setup/fsync.ts';
import { startModelProcess } from './setup/model-process.ts';
import { type Bench, type Findings, runBench, toRow } from './setup/run.ts';
import { readSpec, toPlainPrompt } from './setup/spec.ts';
import { median } from './setup/statistics.ts';
import { startTurnServer } from './setup/turns.ts';

const WARM_UP = 20;
const TURNS = 200;
const ROOM = '7';

async function measure(bench: Bench): Promise<Findings> {
  const model = await startModelProcess(bench);
  const campfire = await startLocalCampfire(bench);
  const server = await startTurnServer(bench, campfire, {
    dataDir: join(bench.folder, 'server'),
    model,
    campfire,
  });
  const sdk = await makeBareSdk(bench, await readSpec(model));
  const probe = makeFsyncProbe(bench.folder);
  bench.defer(probe.close);
  const bare = sdk.start();
  bench.defer(bare.close);

  const text = (turn: number) => `Question ${turn}. Please answer exactly: Yes, that is right.`;
  const bareTimes = { first: [] as number[], ended: [] as number[] };
  const ours = { first: [] as number[], posted: [] as number[] };
  const syncs: number[] = [];
  for (let turn = 0; turn < WARM_UP + TURNS; turn += 1) {
    bench.progress(`turn ${turn + 1} of ${WARM_UP + TURNS}`);
    const alone = await bare.say(toPlainPrompt(ROOM, text(turn)));
    const whole = await server.say(ROOM, text(turn));
    if (turn < WARM_UP) continue;
    if (whole.record.tier !== 'hot')
      throw new Error(`a turn was ${whole.record.tier}: ${whole.record.reason}`);
    bareTimes.first.push(alone.firstTextMs);
    bareTimes.ended.push(alone.endedMs);
    ours.first.push(whole.firstTextMs);
    ours.posted.push(whole.postedMs);
    syncs.push(probe.once());
  }

  const fsync = median(syncs);
  const toFirst = median(ours.first) - median(bareTimes.first);
  const toPosted = median(ours.posted) - median(bareTimes.ended);
  const allowed = 5 + 4 * fsync;
  return {
    rows: [
      toRow('accepted → first text', 'ms', ours.first),
      toRow('bare SDK: pushed → first text', 'ms', bareTimes.first),
      toRow('accepted → reply posted', 'ms', ours.posted),
      toRow('bare SDK: pushed → result', 'ms', bareTimes.ended),
      toRow('one fsync alone', 'ms', syncs),
    ],
    requirements: [
      {
        what: 'added to the first text, p50',
        must: '≤ 5 ms',
        measured: `${show(toFirst)} ms`,
        met: toFirst <= 5,
      },
      {
        what: 'added until the reply is posted, p50',
        must: `≤ 5 ms + 4 fsyncs (${show(allowed)} ms)`,
        measured: `${show(toPosted)} ms`,
        met: toPosted <= allowed,
      },
    ],
    notes: [
      `First text ${show(median(ours.first) / median(bareTimes.first))} × bare, until posted ${show(median(ours.posted) / median(bareTimes.ended))} × bare. Turns of the two alternate; the model has a process of its own and answers at once; the bare SDK keeps no session store.`,
    ],
  };
}

await runBench('hot', 'a message to a conversation whose process lives', measure);
