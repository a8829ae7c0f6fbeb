import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../base/clock.ts';
import { toError } from '../../base/errors.ts';
import type { Instant } from '../../base/terms.ts';
import { DatabaseBusy, type Tx } from '../database.ts';
import { isBusy } from './connection.ts';

/** Jobs that share one commit at most: some milliseconds of work, for which the event loop stands still. */
const MOST_IN_BATCH = 128;
/** Turns of the event loop that a batch waits for more jobs at most: a few tens of microseconds each. */
const MOST_TURNS_WAITED = 8;
/** Jobs that wait at most; the webhook answers 503 beyond. */
const MOST_WAITING = 20_000;
/** Below the three seconds within which a webhook must be stored. */
const BUSY_LIMIT_MS = 2_500;
const BUSY_RETRY_MS = { first: 2, most: 50 };

type Job = {
  readonly queuedAt: Instant;
  run(): Promise<void>;
  /** The batch is on disk: what `run` returned is true. */
  committed(): void;
  failed(error: unknown): void;
};

export type Writer = {
  write<Result>(work: (trx: Tx) => Promise<Result>): Promise<Result>;
  /** How often it committed and how many jobs that brought to disk. */
  stats(): { readonly commits: number; readonly jobs: number };
  /** Resolves when what waits is written; later writes reject. */
  close(): Promise<void>;
};

/**
 * The one writer of a SQLite file. Jobs that are there when a transaction begins share it and its sync to disk:
 *
 *   queued ──batch begins──▶ running (own savepoint) ──▶ done ──COMMIT──▶ committed
 *     └─ file held too long ─▶ failed ◀─ threw, rolled back ┘ ◀─ COMMIT failed ┘
 *
 * A failed job is undone alone. When SQLite gives up the whole transaction (disk full, I/O error) all of its jobs fail;
 * the next batch begins from a clean state.
 */
export function makeWriter(connection: DatabaseSync, trx: Tx, clock: Clock): Writer {
  const queue: Job[] = [];
  const begin = connection.prepare('begin immediate');
  const commit = connection.prepare('commit');
  const savepoint = connection.prepare('savepoint job');
  const release = connection.prepare('release job');
  const rollBackJob = connection.prepare('rollback to job');
  const stats = { commits: 0, jobs: 0 };
  let running: Promise<void> | null = null;
  let closed = false;

  async function runBatches(): Promise<void> {
    do {
      await gather();
      if (await beginBatch()) await runBatch();
    } while (queue.length > 0);
    // In the same breath as the look into the queue: a job that comes now starts the next run.
    running = null;
  }

  /**
   * Lets turns of the event loop end until one brings no further job: requests that come together are read from their
   * sockets over several turns, and each that joins the batch saves a sync to disk, which stops the whole loop.
   */
  async function gather(): Promise<void> {
    let seen = 0;
    for (let turns = 0; turns < MOST_TURNS_WAITED; turns += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (queue.length === seen) return;
      seen = queue.length;
    }
  }

  /** False when every job that waited was given up, because another process holds the file. */
  async function beginBatch(): Promise<boolean> {
    for (let delayMs = BUSY_RETRY_MS.first; ; delayMs = Math.min(delayMs * 2, BUSY_RETRY_MS.most)) {
      try {
        begin.run();
        return true;
      } catch (error) {
        if (!isBusy(error)) failAll(queue.splice(0), error);
      }
      failAll(queue.splice(0, countOlderThan(clock.now() - BUSY_LIMIT_MS)), heldTooLong());
      if (queue.length === 0) return false;
      await clock.sleep(delayMs);
    }
  }

  /** Jobs wait in the order in which they came. */
  function countOlderThan(instant: Instant): number {
    const first = queue.findIndex((job) => job.queuedAt > instant);
    return first === -1 ? queue.length : first;
  }

  async function runBatch(): Promise<void> {
    const done: Job[] = [];
    try {
      await runJobs(done);
      commit.run();
    } catch (error) {
      rollBack();
      return failAll(done, error);
    }
    stats.commits += 1;
    stats.jobs += done.length;
    for (const job of done) job.committed();
  }

  /** Throws when the whole transaction has to go; `done` then holds the jobs that go with it. */
  async function runJobs(done: Job[]): Promise<void> {
    for (let count = 0; count < MOST_IN_BATCH; count += 1) {
      const job = queue.shift();
      if (job === undefined) return;
      try {
        savepoint.run();
        await job.run();
        release.run();
        done.push(job);
      } catch (error) {
        job.failed(error);
        undoJob(error);
      }
    }
  }

  /** Undoes the one job. SQLite itself ends the transaction when the disk is full or fails: then all is gone. */
  function undoJob(error: unknown): void {
    if (!connection.isTransaction) throw error;
    rollBackJob.run();
    release.run();
  }

  function rollBack(): void {
    if (connection.isTransaction) connection.exec('rollback');
  }

  return {
    write(work) {
      if (closed) return Promise.reject(new Error('the database is closed'));
      if (queue.length >= MOST_WAITING)
        return Promise.reject(new DatabaseBusy(`${MOST_WAITING} writes are waiting`));
      return new Promise((resolve, reject) => {
        let settle = (): void => {};
        queue.push({
          queuedAt: clock.now(),
          async run() {
            const result = await work(trx);
            settle = () => resolve(result);
          },
          committed: () => settle(),
          failed: (error) => reject(toError(error)),
        });
        running ??= runBatches();
      });
    },

    stats: () => ({ ...stats }),

    async close() {
      closed = true;
      await running;
    },
  };
}

function heldTooLong(): DatabaseBusy {
  return new DatabaseBusy(`another process has held it for ${BUSY_LIMIT_MS} ms`);
}

function failAll(jobs: readonly Job[], error: unknown): void {
  for (const job of jobs) job.failed(error);
}
