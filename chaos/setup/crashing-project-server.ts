/**
 * The server as a process of its own that kills itself at a chosen call of an update. Arguments: the point's name
 * (`none`: it lives) and, after `--key`, the key with which the update is queued, or after `--update` the id of one that
 * an earlier server had; after `--agent` an executable in place of Claude's.
 */
import { parseArgs } from 'node:util';
import { makeApp } from '../../src/app.ts';
import { systemClock } from '../../src/base/clock.ts';
import { loadConfig } from '../../src/config.ts';
import type { UpdateId } from '../../src/projects/projects.ts';
import { makeLog } from '../../src/telemetry/log.ts';
import { crashingProjects } from './crashing-projects.ts';
import { crashPoint } from './project-crash-points.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    key: { type: 'string', default: '' },
    update: { type: 'string' },
    agent: { type: 'string' },
  },
});
const [name = 'none'] = positionals;
// Rows are numbered: the argument is the number of one.
const update = values.update === undefined ? null : (Number(values.update) as UpdateId);
const doomed = update === null ? { key: values.key } : { update };

const { config } = loadConfig(process.cwd());
const app = await makeApp(config, {
  log: makeLog({ level: config.logLevel, pretty: false }),
  clock: systemClock,
  ...(values.agent === undefined ? {} : { agentExecutable: values.agent }),
  ...(name === 'none' ? {} : crashingProjects(crashPoint(name), doomed)),
});
process.on('SIGTERM', () => void app.stop().then(() => process.exit(0)));
process.stdout.write(`It listens: ${app.address}/#code=none\n`);
