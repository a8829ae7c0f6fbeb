import type { Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** What a job of `Database.write` may do: statements, but no transaction of its own. */
export type Tx = Pick<
  Kysely<Schema>,
  'selectFrom' | 'insertInto' | 'updateTable' | 'deleteFrom' | 'getExecutor'
>;

/**
 * How long a write waits for a database that is away. `short`: below the three seconds that a webhook has. `long`: for
 * what a turn has done and paid for already; longer than a database takes to restart.
 */
export type Patience = 'short' | 'long';

export type WriteOptions = {
  /** `short` when not given. */
  readonly patience?: Patience;
  /** Writes of one lane are made in the order in which this process asked for them. Without one, in any order. */
  readonly lane?: string;
};

/** A database behind all ports of the store: `sqlite/` and `postgres/` open one. */
export type Database = {
  /**
   * Runs `work` in one transaction and resolves once it is synced to disk. On SQLite writes run one at a time and may
   * share a commit; on Postgres they run side by side, each statement sees what was committed before it, and what must
   * not be changed by another is locked (`sql/locks.ts`). When `work` throws, what it wrote is undone and the others are
   * not touched. `work` awaits nothing but `trx`, and may run more than once: only what the last run returns counts.
   *
   * Rejects with what `work` threw, with `DatabaseBusy`, or with what the database says (disk full): then nothing of it
   * was written. Or with `CommitUnknown`.
   */
  write<Result>(work: (trx: Tx) => Promise<Result>, options?: WriteOptions): Promise<Result>;
  /** Reads what is committed; never inside a transaction. */
  readonly read: Kysely<Schema>;
  /** Commits so far and the writes that they brought to disk: how many writes share a sync. */
  stats(): { readonly commits: number; readonly jobs: number };
  /** Lets the writes that wait finish, then closes. Later ones reject. */
  close(): Promise<void>;
};

/** Nothing was written: another process holds the database, it is away, or too much waits for it. Trying again may help. */
export class DatabaseBusy extends Error {
  constructor(why: string) {
    super(`the database is busy: ${why}`);
    this.name = 'DatabaseBusy';
  }
}

/** The connection ended after COMMIT was sent and before it was answered: all of it was written, or nothing. */
export class CommitUnknown extends Error {
  constructor(why: string) {
    super(`whether it was written is not known: ${why}`);
    this.name = 'CommitUnknown';
  }
}
