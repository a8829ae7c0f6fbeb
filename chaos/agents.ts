/** 1,000 turns over 50 conversations while random agents are killed: nothing in a wrong room, nobody left behind. */
import { report } from './setup/report.ts';
import { runAgents } from './setup/run-agents.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
const run = { turns: 1_000, conversations: 50, atOnce: 4, killEveryMs: 1_500, seed };
await report('agents', run, await runAgents(run));
