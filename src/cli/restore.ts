import { resolve } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { type Config, loadConfig } from '../config.ts';
import { type RestoreOutcome, restoreBackup } from '../store/store.ts';
import { type Command, UsageError } from './command.ts';

export const restore: Command = {
  name: 'restore',
  usage: 'FILE [--force]',
  summary: 'Makes the data folder what it was when FILE was made. Stop the server first.',
  help: ['FILE  made by "firekeeper backup"', '--force  puts aside what the data folder holds already'],
  options: { force: { type: 'boolean' } },
  positionals: 1,

  async run({ positionals, flags }, deps) {
    const [file] = positionals;
    if (file === undefined) throw new UsageError('from where? FILE is missing');
    const { config } = loadConfig(deps.cwd);
    const outcome = await restoreInto(config, resolve(deps.callerCwd, file), flags.has('force'));
    if (outcome.kind === 'refused') {
      if (flags.has('json')) deps.out(JSON.stringify({ ok: false, reason: outcome.reason }));
      else deps.err(`Nothing was changed: ${outcome.reason}.`);
      return 1;
    }
    const { mark, files, aside } = outcome;
    if (flags.has('json'))
      deps.out(JSON.stringify({ ok: true, data_dir: config.dataDir, backup: mark, files, put_aside: aside }));
    else deps.out(describe(config.dataDir, outcome));
    return 0;
  },
};

async function restoreInto(config: Config, file: string, force: boolean): Promise<RestoreOutcome> {
  if (config.databaseUrl !== null) return { kind: 'refused', reason: USE_PG_RESTORE };
  return restoreBackup({ file, dataDir: config.dataDir, force, clock: systemClock });
}

const USE_PG_RESTORE = 'DATABASE_URL names a Postgres database: use pg_restore or psql for it';

function describe(dataDir: string, restored: Extract<RestoreOutcome, { kind: 'restored' }>): string {
  const { mark, aside } = restored;
  return [
    `${dataDir} is what it was at ${mark.made_at} (Firekeeper ${mark.version}).`,
    ...(aside === null ? [] : [`What was there before is in ${aside}; delete it when all is well.`]),
    'Start the server: its conversations go on. What was said after the backup, it does not know.',
  ].join('\n');
}
