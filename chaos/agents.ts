/** 5,000 turns over 50 conversations while random agents are killed: nothing in a wrong room, nobody left, no growth. */
import { report } from './setup/report.ts';
import { runAgents } from './setup/run-agents.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
const run = {
  turns: 5_000,
  conversations: 50,
  atOnce: 4,
  killEveryMs: 1_500,
  warmUp: 2_000,
  mostGrowth: 1,
  seed,
};
await report('agents', run, await runAgents(run));
