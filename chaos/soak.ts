/** 20,000 turns on the scripted agent in one process: memory, handles and tables must not grow with the turns. */
import { report } from './setup/report.ts';
import { runSoak } from './setup/run-soak.ts';

const run = { turns: 20_000, rooms: 10, atOnce: 4, warmUp: 2_000, mostGrowth: 1 };
await report('soak', run, await runSoak(run));
