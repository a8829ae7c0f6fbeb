import type { Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** What a job of `Database.write` may do: statements, but no transaction of its own. */
export type Tx = Pick<Kysely<Schema>, 'selectFrom' | 'insertInto' | 'updateTable' | 'deleteFrom'>;

/** A database behind all ports of the store: `sqlite/` opens one; another backend only has to supply this. */
export type Database = {
  /**
   * Runs `work` in one transaction, one at a time with all others of this process, and resolves once it is synced to
   * disk. Concurrent ones may share a commit; when `work` throws, what it wrote is undone and the others are not
   * touched. `work` awaits nothing but `trx`. Rejects with what `work` threw, with `DatabaseBusy`, or with what the
   * database says (disk full): then nothing of it was written.
   */
  write<Result>(work: (trx: Tx) => Promise<Result>): Promise<Result>;
  /** Reads what is committed; never inside a transaction. */
  readonly read: Kysely<Schema>;
  /** Lets the writes that wait finish, then closes. Later ones reject. */
  close(): Promise<void>;
};

/** Nothing was written: another process holds the database, or too much waits for it. Trying again may help. */
export class DatabaseBusy extends Error {
  constructor(why: string) {
    super(`the database is busy: ${why}`);
    this.name = 'DatabaseBusy';
  }
}
