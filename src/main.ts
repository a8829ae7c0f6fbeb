/** The process: configuration, signals, exit codes. What it runs is built in `app.ts`. */
import { flushCompileCache } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { AppDeps } from './app/ground.ts';
import { takeFolder } from './app/take-folder.ts';
import type { App } from './app.ts';
import { systemClock, within } from './base/clock.ts';
import { toError } from './base/errors.ts';
import { type Config, ConfigError, loadConfig, type ReadConfig } from './config.ts';
import { makeLog } from './telemetry/log.ts';
import { VERSION } from './version.ts';

/** After this a stop that hangs is cut short; the reaper of the next start ends what is left. */
const STOP_LIMIT_MS = 9_800;

/** Runs the server until it is told to stop; the exit code. */
export async function main(): Promise<number> {
  const read = readConfigOrTell();
  if (read === null) return 1;
  const { config, warnings } = read;
  const log = makeLog({ level: config.logLevel, pretty: process.stdout.isTTY === true });
  for (const warning of warnings) log.warn(warning);

  let giveUp = (_why: Error): void => {};
  const stopped = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(signal));
    process.on('uncaughtException', (error) => fail('a bug', error));
    process.on('unhandledRejection', (reason) => fail('a bug', toError(reason)));
    giveUp = (why) => fail('the database is taken', why);
    function fail(reason: string, error: Error): void {
      log.fatal({ error: error.message, stack: error.stack }, `${reason}: stopping`);
      process.exitCode = 1;
      resolve(reason);
    }
  });

  const app = await startApp(config, { log, clock: systemClock, giveUp }).catch(toError);
  if (app instanceof Error) {
    process.stderr.write(`Firekeeper did not start: ${app.message}\n`);
    return 1;
  }
  const told = config.model.kind === 'endpoint' ? [] : [aboutModel(config.model)];
  const page = `${config.publicUrl ?? app.address}/#code=${app.loginCode()}`;
  process.stdout.write([...told, `Firekeeper ${VERSION} listens. Its page: ${page}`, ''].join('\n'));

  // Node keeps it at a clean end only, and it counts most after a crash. Nothing happens where there is no cache.
  flushCompileCache();

  const reason = await stopped;
  log.info({ reason }, 'stopping: finishing running turns, taking nothing new');
  const clean = await within(systemClock, STOP_LIMIT_MS, app.stop());
  if (clean === 'timed-out') log.error('the stop took too long and was cut short');
  return Number(process.exitCode ?? 0);
}

/** The folder first: what is loaded after it takes longest of all when much runs beside it. */
async function startApp(config: Config, deps: AppDeps): Promise<App> {
  const lock = await takeFolder(config.dataDir, deps.clock);
  const { makeApp } = await import('./app.ts');
  return makeApp(config, { ...deps, lock });
}

function aboutModel(model: Exclude<Config['model'], { kind: 'endpoint' }>): string {
  if (model.kind === 'none') return `No turn can run: ${model.reason}`;
  return 'No model credential: the offline model answers. Set ANTHROPIC_API_KEY to use Claude.';
}

function readConfigOrTell(): ReadConfig | null {
  try {
    return loadConfig(process.cwd());
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return null;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exit(await main());
