/** What `bin/test` runs: the programs that some tests need looked for, the type check, the tests, and one closing line. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { probeSandbox } from '../../src/agent/agent.ts';
import { findChromium } from './chromium.ts';
import { installNginx } from './install-nginx.ts';
import { installChromium, installPostgres, installSandbox, installStrace } from './install-packages.ts';
import { findNginx } from './nginx.ts';
import { findPostgres } from './postgres.ts';
import { lacksPrograms } from './sandbox.ts';
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

  const probe = () => probeSandbox(process.env.PATH ?? '');
  if (lacksPrograms(await probe())) await installSandbox({ run, say });
  const sandbox = await probe();
  if (sandbox.kind === 'missing')
    say(`No sandbox: its tests ${lacksPrograms(sandbox) ? fate : 'are skipped'}: ${sandbox.reason}.`);

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
