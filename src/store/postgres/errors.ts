/** What goes wrong with Postgres, in words that hold no value of a row, and what that means for a transaction. */
import pg from 'pg';
import { DatabaseBusy } from '../database.ts';

/**
 * - `away`: the connection ended or none can be had; Postgres may be back in a moment.
 * - `conflict`: Postgres undid the transaction for the sake of another one; running it again may do.
 * - `said`: anything else that Postgres says (disk full, a constraint, a wrong password).
 */
export type Trouble = 'away' | 'conflict' | 'said';

export class PostgresError extends Error {
  /** The SQLSTATE, or what the system calls the error, such as `ECONNREFUSED`; null when it has no name. */
  readonly code: string | null;
  readonly trouble: Trouble;

  constructor(message: string, code: string | null, trouble: Trouble) {
    super(message);
    this.name = 'PostgresError';
    this.code = code;
    this.trouble = trouble;
  }
}

/** Where a transaction was when it failed. */
export type Phase = 'begin' | 'work' | 'commit';

/**
 * What follows. `again`: certainly nothing was written. `unknown`: COMMIT was sent and its answer never came, so nobody
 * may run it again. `rejected`: certainly nothing was written, and running it again would not help.
 */
export function decideAfterTrouble(
  phase: Phase,
  { code, trouble }: Pick<PostgresError, 'code' | 'trouble'>,
): 'again' | 'unknown' | 'rejected' {
  if (trouble === 'said') return 'rejected';
  if (phase !== 'commit') return 'again';
  return code !== null && UNDONE_AT_COMMIT.has(code) ? 'again' : 'unknown';
}

/** serialization_failure, deadlock_detected: the answer to COMMIT itself is that it was undone. */
const UNDONE_AT_COMMIT: ReadonlySet<string> = new Set(['40001', '40P01']);

/** The two above, lock_not_available, query_canceled (our own statement timeout). */
const CONFLICTS: ReadonlySet<string> = new Set([...UNDONE_AT_COMMIT, '55P03', '57014']);

/**
 * Shutdown, crash of another session, starting up, idle too long, too many connections, and a server that became a
 * standby: the next connection may reach the new primary.
 */
const AWAY = /^(08|57P0[1235]$|25P03$|53300$|25006$)/;

/** A DatabaseError of these classes may quote what was to be written: `22` bad data, `23` a constraint. */
const QUOTES_VALUES = /^2[23]/;

/** Whatever the driver threw; errors that are not of the database (a bug of ours) stay as they are. */
export function toPostgresError(thrown: unknown): Error {
  if (thrown instanceof PostgresError || thrown instanceof TypeError || thrown instanceof RangeError)
    return thrown;
  if (thrown instanceof pg.DatabaseError) return describeAnswer(thrown);
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : null;
  // With a name its message would only add the address, which is nobody's business in a log.
  const why = code ?? (thrown instanceof Error ? thrown.message : 'unknown error');
  return new PostgresError(`Postgres cannot be reached: ${why}`, code, 'away');
}

function describeAnswer(answer: pg.DatabaseError): PostgresError {
  const { code = '', message, table, constraint, column } = answer;
  const trouble = AWAY.test(code) ? 'away' : CONFLICTS.has(code) ? 'conflict' : 'said';
  const at = [table, constraint, column].filter((name) => name !== undefined && name !== '').join(', ');
  const what = QUOTES_VALUES.test(code) ? `a value was refused${at === '' ? '' : ` by ${at}`}` : message;
  return new PostgresError(`Postgres says: ${what} (${code})`, code, trouble);
}

/** The bound of the repeats is over. */
export function toBusy(error: PostgresError): DatabaseBusy {
  return new DatabaseBusy(error.message);
}
