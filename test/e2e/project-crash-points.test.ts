/** The sweep of `chaos/project-crash-points.ts`, smaller: points that differ in what they leave behind. */
import { expect, it } from 'vitest';
import { crashPoint, RECOVERY_POINTS } from '../../chaos/setup/project-crash-points.ts';
import { type ProjectCrashRun, runProjectCrashes } from '../../chaos/setup/run-project-crashes.ts';
import { SCRIPTED_AGENT } from '../fixtures/scripted-agent.ts';

async function sweep(names: readonly string[], run: Partial<ProjectCrashRun> = {}) {
  const points = names.map(crashPoint);
  const once = { again: null, agent: SCRIPTED_AGENT, makeDatabase: null };
  const findings = await runProjectCrashes({ ...once, ...run, points });
  expect(findings.filter(({ holds }) => !holds)).toEqual([]);
  expect(findings).toContainEqual(expect.objectContaining({ what: 'points', found: names.length }));
  return Number(findings.find(({ what }) => what === 'deaths')?.found);
}

it('D0, D2, D3, D4, D5, D7, D8, D9, D11, D13, D14, D24 makes each update one version when its server is killed', async () => {
  await sweep([
    'D0 before it is queued',
    'D2 claimed',
    'D3 prepared',
    'D4 with its process started',
    'D5 while it edits',
    'D7 with its commands begun',
    'D8 with a commit that nothing points at',
    'D9 with a version that git does not know',
    'D11 while it is shortened',
    'D13 before its end',
    'D24 restoring, with a version that is not committed',
    'D14 ended, and nobody was told',
  ]);
}, 240_000);

it('D6, D12 does the same with the agent of Claude', async () => {
  await sweep(['D6 with its agent done and nothing written', 'D12 shortened, with the head where it was'], {
    agent: null,
  });
}, 240_000);

it('D18 does the same when the server that recovers is killed, too', async () => {
  const deaths = await sweep(['D5 while it edits', 'D10 with its documentation begun'], {
    again: RECOVERY_POINTS.find(({ name }) => name === 'D18 before what was left is ended') ?? null,
  });
  expect(deaths).toBe(4);
}, 240_000);
