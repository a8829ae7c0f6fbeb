/** The server dies at every step of a project's update, once and again while it recovers, with both agents and databases. */
import { SCRIPTED_AGENT } from '../test/fixtures/scripted-agent.ts';
import { hasNoPostgres, startCluster } from '../test/setup/postgres-cluster.ts';
import { removeTempFolders } from '../test/setup/temp.ts';
import { PROJECT_CRASH_POINTS, RECOVERY_POINTS } from './setup/project-crash-points.ts';
import { type Finding, report } from './setup/report.ts';
import { runProjectCrashes } from './setup/run-project-crashes.ts';

const named = (where: string, findings: readonly Finding[]) =>
  findings.map((finding) => ({ ...finding, what: `${where}: ${finding.what}` }));

const points = PROJECT_CRASH_POINTS;
const once = { points, again: null, makeDatabase: null };
const found: Finding[] = [
  ...named('scripted', await runProjectCrashes({ ...once, agent: SCRIPTED_AGENT })),
  ...named('Claude', await runProjectCrashes({ ...once, agent: null })),
];
for (const again of RECOVERY_POINTS)
  found.push(
    ...named(`scripted, ${again.name}`, await runProjectCrashes({ ...once, again, agent: SCRIPTED_AGENT })),
  );
if (!hasNoPostgres) {
  const cluster = await startCluster();
  try {
    const { makeDatabase } = cluster;
    found.push(
      ...named('Postgres', await runProjectCrashes({ ...once, agent: SCRIPTED_AGENT, makeDatabase })),
    );
  } finally {
    await cluster.stop();
    removeTempFolders();
  }
}
await report('project-crash-points', { points: points.map(({ name }) => name) }, found);
