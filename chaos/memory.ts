/** 50 rooms write in turn for ten minutes under a budget of 2 GB: real processes, evicted and brought back warm. */
import { report } from './setup/report.ts';
import { runMemory } from './setup/run-memory.ts';

const run = { rooms: 50, seconds: 600, budgetMb: 2_000 };
await report('memory', run, await runMemory(run));
