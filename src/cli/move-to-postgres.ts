import { systemClock } from '../base/clock.ts';
import { loadConfig } from '../config.ts';
import { moveToPostgres as move } from '../store/store.ts';
import { type Command, CommandFailed } from './command.ts';

export const moveToPostgres: Command = {
  name: 'move-to-postgres',
  usage: '',
  summary:
    'Copies the SQLite database of DATA_DIR into the empty database of DATABASE_URL. Stop the server first.',
  help: [],
  options: {},
  positionals: 0,

  async run({ flags }, deps) {
    const { config } = loadConfig(deps.cwd);
    const { dataDir, databaseUrl } = config;
    if (databaseUrl === null)
      throw new CommandFailed('no_database_url', 'DATABASE_URL is not set: it says where to');
    const outcome = await move({ dataDir, databaseUrl, clock: systemClock });
    if (outcome.kind === 'refused') {
      if (flags.has('json')) deps.out(JSON.stringify({ ok: false, reason: outcome.reason }));
      else deps.err(`Nothing was copied: ${outcome.reason}.`);
      return 1;
    }
    if (flags.has('json')) deps.out(JSON.stringify({ ok: true, rows: outcome.rows }));
    else deps.out(describe(dataDir, outcome.rows));
    return 0;
  },
};

function describe(dataDir: string, rows: Readonly<Record<string, number>>): string {
  const counts = Object.values(rows);
  const all = counts.reduce((sum, count) => sum + count, 0);
  return [
    `Copied ${all} rows of ${counts.length} tables, and counted them.`,
    `Start the server with this DATABASE_URL and the same DATA_DIR (${dataDir}): working directories stay there.`,
    'firekeeper.sqlite in it is not read any more. A server without DATABASE_URL would go on with it, and with what it knew.',
  ].join('\n');
}
