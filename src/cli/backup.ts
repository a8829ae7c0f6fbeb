import { resolve } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { type Config, loadConfig } from '../config.ts';
import { type BackupOutcome, backUp } from '../store/store.ts';
import { VERSION } from '../version.ts';
import { type Command, UsageError } from './command.ts';

/** Names of files that were left out, as far as they are listed for people. */
const MOST_NAMES = 20;

export const backup: Command = {
  name: 'backup',
  usage: 'FILE',
  summary: 'Writes the database and the working directories into one new file, while the server runs or not.',
  help: ['FILE  must not be there yet; it will hold what was said and bot keys, for your eyes only'],
  options: {},
  positionals: 1,

  async run({ positionals, flags }, deps) {
    const [file] = positionals;
    if (file === undefined) throw new UsageError('where to? FILE is missing');
    const { config } = loadConfig(deps.cwd);
    const path = resolve(deps.callerCwd, file);
    const outcome = await writeBackup(config, path);
    if (outcome.kind === 'refused') {
      if (flags.has('json')) deps.out(JSON.stringify({ ok: false, reason: outcome.reason }));
      else deps.err(`No backup: ${outcome.reason}.`);
      return 1;
    }
    const { bytes, conversations, files, leftOut } = outcome;
    if (flags.has('json'))
      deps.out(JSON.stringify({ ok: true, file: path, bytes, conversations, files, left_out: leftOut }));
    else deps.out(describe(path, outcome));
    return 0;
  },
};

async function writeBackup(config: Config, file: string): Promise<BackupOutcome> {
  if (config.databaseUrl !== null) return { kind: 'refused', reason: USE_PG_DUMP };
  return backUp({ dataDir: config.dataDir, file, version: VERSION, clock: systemClock });
}

const USE_PG_DUMP =
  'DATABASE_URL names a Postgres database: use pg_dump for it, and keep the folder DATA_DIR/workspaces beside that';

function describe(path: string, made: Extract<BackupOutcome, { kind: 'made' }>): string {
  const { bytes, conversations, files, leftOut } = made;
  const megabytes = (bytes / 1024 / 1024).toFixed(1);
  const more = leftOut.length - MOST_NAMES;
  return [
    `Wrote ${path} (${megabytes} MB). Conversations: ${conversations}; files in their working directories: ${files}.`,
    'It does not hold the admin token, .env or the bot files: keep those elsewhere.',
    ...(leftOut.length === 0 ? [] : ['Left out, because they are no plain readable files under 512 MB:']),
    ...leftOut.slice(0, MOST_NAMES).map((name) => `  ${name}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ].join('\n');
}
