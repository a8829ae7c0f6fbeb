/** 5,000 messages while Postgres is stopped, crashed and started: nothing lost, nothing twice. */
import { startCluster } from '../test/setup/postgres-cluster.ts';
import { removeTempFolders } from '../test/setup/temp.ts';
import { report } from './setup/report.ts';
import { runPostgres } from './setup/run-postgres.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
const run = {
  messages: 5_000,
  rooms: 25,
  pauseMs: 1_500,
  upMs: [3_000, 8_000] as const,
  downMs: [200, 4_000] as const,
  seed,
};
const cluster = await startCluster();
try {
  await report('database', run, await runPostgres(run, cluster));
} finally {
  await cluster.stop();
  removeTempFolders();
}
