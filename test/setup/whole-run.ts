/**
 * Around a whole test run: an environment without the machine's credentials, a temporary folder of the run's own, and
 * at the end a look at what was left behind. A run that leaves a process or a file fails.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { forgetMachine } from './environment.ts';
import { endProcesses, findLeftProcesses } from './left-processes.ts';

export function setup(): () => Promise<void> {
  forgetMachine(process.env);

  // Everything that the run starts inherits this folder: as TMPDIR, in DATA_DIR, in an agent's home. So whatever
  // carries its name at the end is ours, and nobody else's is mistaken for it.
  const folder = mkdtempSync(join(tmpdir(), 'firekeeper-run-'));
  process.env.TMPDIR = folder;

  return async () => {
    const processes = await findLeftProcesses(folder);
    const files = readdirSync(folder);
    endProcesses(processes);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    const left = [
      ...processes.map((one) => `process ${one.pid}: ${one.command}`),
      ...files.map((name) => `file ${name} in the temporary folder`),
    ];
    if (left.length > 0) throw new Error(`The tests left behind:\n  ${left.join('\n  ')}`);
  };
}
