import { type Clock, within } from '../../base/clock.ts';
import { PostgresError } from './errors.ts';
import { HELD } from './lock.ts';
import { makePool } from './pool.ts';

const PROBE_LIMIT_MS = 10_000;

/** What a server would find; nothing is made and nothing changed. */
export type PostgresProbe =
  | {
      readonly kind: 'usable';
      /** Such as `15.18`. */
      readonly version: string;
      /** Whether what is committed survives a power cut. */
      readonly isDurable: boolean;
      /** Whether a server has it. */
      readonly isTaken: boolean;
    }
  | { readonly kind: 'unusable'; readonly reason: string };

export async function probePostgres(url: string, clock: Clock): Promise<PostgresProbe> {
  const pool = makePool(url, 1);
  try {
    const answer = await within(clock, PROBE_LIMIT_MS, pool.query(LOOK, []));
    if (answer === 'timed-out')
      return { kind: 'unusable', reason: `no answer in ${PROBE_LIMIT_MS / 1_000} s` };
    return decide(answer.rows[0] as Look); // As `LOOK` asks for it.
  } catch (error) {
    if (!(error instanceof PostgresError)) throw error;
    return { kind: 'unusable', reason: error.message };
  } finally {
    await pool.end();
  }
}

type Look = {
  readonly version: string;
  readonly encoding: string;
  readonly schema: string | null;
  readonly may_create: boolean | null;
  readonly fsync: string;
  readonly taken: boolean;
};

const LOOK = `select current_setting('server_version') as version, current_setting('server_encoding') as encoding,
  current_schema() as schema, has_schema_privilege(current_schema(), 'create') as may_create,
  current_setting('fsync') as fsync, exists (select ${HELD}) as taken`;

function decide({ version, encoding, schema, may_create, fsync, taken }: Look): PostgresProbe {
  if (encoding !== 'UTF8')
    return { kind: 'unusable', reason: `its encoding is ${encoding}, and must be UTF8` };
  if (schema === null) return { kind: 'unusable', reason: 'its search_path names no schema that exists' };
  if (may_create !== true)
    return { kind: 'unusable', reason: `its user may not create tables in the schema ${schema}` };
  return {
    kind: 'usable',
    version: version.split(' ')[0] ?? version,
    isDurable: fsync === 'on',
    isTaken: taken,
  };
}
