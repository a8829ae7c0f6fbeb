/**
 * The server as a process of its own that kills itself at a chosen call of a port. Arguments: the point's name
 * (`none`: it lives) and, after `--agent`, an executable in place of Claude's.
 */
import { parseArgs } from 'node:util';
import { makeApp } from '../../src/app.ts';
import { systemClock } from '../../src/base/clock.ts';
import { loadConfig } from '../../src/config.ts';
import { makeLog } from '../../src/telemetry/log.ts';
import { CRASH_POINTS } from './crash-points.ts';
import { crashingStore } from './crashing-store.ts';

const { positionals, values } = parseArgs({ allowPositionals: true, options: { agent: { type: 'string' } } });
const point = CRASH_POINTS.find(({ name }) => name === positionals[0]);
if (point === undefined && positionals[0] !== 'none') throw new Error(`there is no point ${positionals[0]}`);

const { config } = loadConfig(process.cwd());
const app = await makeApp(config, {
  log: makeLog({ level: config.logLevel, pretty: false }),
  clock: systemClock,
  ...(values.agent === undefined ? {} : { agentExecutable: values.agent }),
  ...(point === undefined ? {} : { wrapStore: (store) => crashingStore(store, point) }),
});
process.on('SIGTERM', () => void app.stop().then(() => process.exit(0)));
process.stdout.write(`It listens: ${app.address}/#code=none\n`);
