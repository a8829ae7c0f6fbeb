/** What `bin/test` runs: the programs that some tests need looked for, the type check, the tests, and one closing line. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { findSandbox } from '../../src/projects/verify/find-sandbox.ts';
import { findChromium } from './chromium.ts';
import { installNginx } from './install-nginx.ts';
import { installBubblewrap, installChromium, installPostgres, installStrace } from './install-packages.ts';
import { findNginx } from './nginx.ts';
import { findPostgres } from './postgres.ts';
import { findStrace } from './strace.ts';
import { summarize, type TestReport } from './summary.ts';

const stopped = new AbortController();
process.on('SIGTERM', () => stopped.abort());

process.exitCode = await runTests(process.argv.slice(2));

async function runTests(named: readonly string[]): Promise<number> {
  const fate = process.env.CI ? 'will fail' : 'are skipped';
  if (findChromium() === null) await installChromium({ run, say });
  if (findChromium() === null)
    say(`No Chromium: the browser tests ${fate}. Install chromium or google-chrome, or set CHROMIUM_PATH.`);
  if (findPostgres() === null) await installPostgres({ run, say });
  if (findPostgres() === null)
    say(
      `No Postgres: the tests on it ${fate}. Install postgresql, or put the folder of its initdb on the PATH.`,
    );
  if (findNginx() === null) await installNginx({ run, say });
  if (findNginx() === null)
    say(`No nginx: the tests of deploy/nginx.conf ${fate}. Install it, or set NGINX_PATH.`);
  if (findStrace() === null) await installStrace({ run, say });
  if (findStrace() === null) say(`No strace: the test that counts syncs to disk ${fate}. Install it.`);

  if ((await whyNoSandbox())?.includes('not installed')) await installBubblewrap({ run, say });
  const whyNot = await whyNoSandbox();
  if (whyNot !== null) say(`No sandbox, its tests are skipped: ${whyNot}.`);

  const typesAreRight = (await run('tsc', ['--noEmit'])) === 0;

  const folder = mkdtempSync(join(tmpdir(), 'firekeeper-report-'));
  try {
    const reportPath = join(folder, 'report.json');
    const runnerExitCode = await run('vitest', [
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${reportPath}`,
      ...named,
    ]);
    const summary = summarize({ report: readReport(reportPath), runnerExitCode, typesAreRight });
    for (const remark of summary.remarks) say(remark);
    say(summary.line);
    return summary.exitCode;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Null: there is one. A host may refuse it though it is installed, in CI too. */
async function whyNoSandbox(): Promise<string | null> {
  const baseEnv = { PATH: process.env.PATH ?? '' };
  const found = await findSandbox({ platform: process.platform, baseEnv, clock: systemClock });
  return found.kind === 'none' ? found.reason : null;
}

/** Runs a command to its end, with its output shown and nothing to read. Resolves with its exit code; 1 when a signal ended it. */
function run(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], signal: stopped.signal });
    child.on('error', (error) => {
      say(`${command}: ${error.message}`);
      resolve(1);
    });
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** The runner's own file, in its own shape; null when it wrote none. */
function readReport(path: string): TestReport | null {
  try {
    const report: TestReport = JSON.parse(readFileSync(path, 'utf8'));
    return report;
  } catch {
    return null;
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
