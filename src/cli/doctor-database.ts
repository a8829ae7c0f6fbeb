import type { Clock } from '../base/clock.ts';
import type { Config } from '../config.ts';
import { probePostgres } from '../store/store.ts';
import type { Check } from './doctor-checks.ts';

/** The Postgres of `DATABASE_URL`; SQLite is a file of the data folder, which has a line of its own. */
export async function checkDatabase(config: Config, clock: Clock): Promise<readonly Check[]> {
  if (config.databaseUrl === null) return [];
  const name = 'Database';
  const probe = await probePostgres(config.databaseUrl, clock);
  if (probe.kind === 'unusable') {
    return [
      {
        name,
        state: 'failed',
        detail: probe.reason,
        advice:
          'Check DATABASE_URL, and that this machine reaches the database; docs/postgres.md says what it needs.',
      },
    ];
  }
  const detail = `Postgres ${probe.version} answers${probe.isTaken ? ', and a server is using it' : ''}`;
  if (probe.isDurable) return [{ name, state: 'ok', detail, advice: null }];
  const advice =
    'Set fsync = on in Postgres: a power cut loses messages that were answered, or the whole database.';
  return [{ name, state: 'warning', detail: `${detail}; fsync is off`, advice }];
}
