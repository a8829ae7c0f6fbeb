/** The server dies before and after every step of a message, with the real agent and a scripted one, on both databases. */
import { SCRIPTED_AGENT } from '../test/fixtures/scripted-agent.ts';
import { hasNoPostgres, startCluster } from '../test/setup/postgres-cluster.ts';
import { removeTempFolders } from '../test/setup/temp.ts';
import { CRASH_POINTS } from './setup/crash-points.ts';
import { type Finding, report } from './setup/report.ts';
import { runCrashPoints } from './setup/run-crash-points.ts';

const every = { points: CRASH_POINTS, atOnce: 2 };
const named = (where: string, findings: readonly Finding[]) =>
  findings.map((finding) => ({ ...finding, what: `${where}: ${finding.what}` }));

const found: Finding[] = [
  ...named('SQLite, Claude', await runCrashPoints({ ...every, agent: null, makeDatabase: null })),
  ...named('SQLite, scripted', await runCrashPoints({ ...every, agent: SCRIPTED_AGENT, makeDatabase: null })),
];
if (!hasNoPostgres) {
  const cluster = await startCluster();
  try {
    const { makeDatabase } = cluster;
    found.push(
      ...named('Postgres, scripted', await runCrashPoints({ ...every, agent: SCRIPTED_AGENT, makeDatabase })),
    );
  } finally {
    await cluster.stop();
    removeTempFolders();
  }
}
await report('crash-points', { points: CRASH_POINTS.map(({ name }) => name) }, found);
