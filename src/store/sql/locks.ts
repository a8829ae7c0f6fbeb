/**
 * What must not happen at the same time. SQLite has one writer, so there it never does and nothing is locked; on
 * Postgres transactions run side by side, of several servers too.
 */
import { type Kysely, PostgresAdapter, type SelectQueryBuilder, sql } from 'kysely';
import type { Tx } from '../database.ts';

export function isPostgres(db: Pick<Kysely<unknown>, 'getExecutor'>): boolean {
  return db.getExecutor().adapter instanceof PostgresAdapter;
}

/**
 * Locks the rows that a query finds until the transaction ends, and finds them as they were committed last. What is
 * locked already is waited for, or with `skip-locked` left out. `of`: the query's own table, when it names others too.
 */
export function lockRows<DB, Table extends keyof DB & string, Row>(
  trx: Tx,
  query: SelectQueryBuilder<DB, Table, Row>,
  taken: 'wait' | 'skip-locked',
  of?: Table,
): SelectQueryBuilder<DB, Table, Row> {
  if (!isPostgres(trx)) return query;
  const locked = of === undefined ? query.forUpdate() : query.forUpdate(of);
  return taken === 'wait' ? locked : locked.skipLocked();
}

/** Locks rows against every change and waits for them; rows that refer to them can still be added meanwhile. */
export function lockAgainstChange<DB, Table extends keyof DB & string, Row>(
  trx: Tx,
  query: SelectQueryBuilder<DB, Table, Row>,
): SelectQueryBuilder<DB, Table, Row> {
  return isPostgres(trx) ? query.forNoKeyUpdate() : query;
}

/**
 * Whoever names the same thing goes one after the other until the transaction ends: so ids that count up appear in
 * their order. Elsewhere a lower id may appear after a higher one.
 */
export async function oneAtATime(trx: Tx, kind: string, name: string): Promise<void> {
  if (!isPostgres(trx)) return;
  const query = sql`select pg_advisory_xact_lock(hashtext(${kind}), hashtext(${name}))`.compile(trx);
  await trx.getExecutor().executeQuery(query);
}
