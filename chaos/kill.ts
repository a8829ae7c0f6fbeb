/** 1,000 messages while the server is killed every few seconds: every 200 has exactly one visible end. */
import { report } from './setup/report.ts';
import { runKill } from './setup/run-kill.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
const run = {
  messages: 1_000,
  rooms: 20,
  pauseMs: 3_000,
  killAfterMs: [3_000, 7_000] as const,
  seed,
  judgesTimes: true,
};
await report('kill', run, await runKill(run));
