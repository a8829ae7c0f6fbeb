import { backoffMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { toError } from '../../base/errors.ts';
import type { Instant } from '../../base/terms.ts';
import { CommitUnknown, DatabaseBusy, type Patience, type Tx, type WriteOptions } from '../database.ts';
import { decideAfterTrouble, type Phase, PostgresError, toBusy } from './errors.ts';
import type { Connection, Pool } from './pool.ts';

/** Writes under way and in line at most; the webhook answers 503 beyond. */
const MOST_WAITING = 20_000;
/** `short` is below the three seconds within which a webhook must be stored; `long` outlasts a restart of Postgres. */
const PATIENCE_MS: Readonly<Record<Patience, number>> = { short: 2_500, long: 20_000 };
const AGAIN_MS = { firstMs: 20, mostMs: 500 };

export type Writer = {
  write<Result>(work: (trx: Tx) => Promise<Result>, options?: WriteOptions): Promise<Result>;
  /** Commits so far; each brought one write to disk. */
  stats(): { readonly commits: number; readonly jobs: number };
  /** Resolves when what is under way is written; later writes reject. */
  close(): Promise<void>;
};

export type WriterDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  /** Transactions side by side: as many as the pool has connections. */
  readonly atOnce: number;
  /** Resolves while this server may write; rejects when it may not for `limitMs`, or never again. */
  mayWrite(limitMs: number): Promise<void>;
};

/**
 * Write transactions on Postgres, several at once:
 *
 *   in its lane ──may write, a slot──▶ begin ──▶ work ──▶ COMMIT ──▶ committed
 *        ▲                               │        │         ├─ undone, says Postgres ─▶ again
 *        └── again, until the patience is over: DatabaseBusy └─ no answer ─▶ CommitUnknown, never again
 *
 * `decideAfterTrouble` says which. What `work` itself throws is rolled back and passed on.
 */
export function makeWriter({ pool, clock, atOnce, mayWrite }: WriterDeps): Writer {
  const slots = makeSlots(atOnce);
  const inOrder = makeLanes();
  const underWay = new Set<Promise<unknown>>();
  let commits = 0;
  let closed = false;

  async function runUntilCommitted<Result>(work: (trx: Tx) => Promise<Result>, until: Instant) {
    for (let attempt = 1; ; attempt += 1) {
      await mayWrite(Math.max(0, until - clock.now()));
      const outcome = await slots.run(() => runOnce(pool, work));
      if (outcome.kind === 'committed') {
        commits += 1;
        return outcome.result;
      }
      const delayMs = backoffMs(attempt, AGAIN_MS);
      if (clock.now() + delayMs > until) throw toBusy(outcome.error);
      await clock.sleep(delayMs);
    }
  }

  return {
    write(work, { patience = 'short', lane } = {}) {
      if (closed) return Promise.reject(new Error('the database is closed'));
      if (underWay.size >= MOST_WAITING)
        return Promise.reject(new DatabaseBusy(`${MOST_WAITING} writes are waiting`));
      const until = clock.now() + PATIENCE_MS[patience];
      const written = inOrder(lane, () => runUntilCommitted(work, until));
      const settled = written.then(forget, forget);
      function forget(): void {
        underWay.delete(settled);
      }
      underWay.add(settled);
      return written;
    },

    stats: () => ({ commits, jobs: commits }),

    async close() {
      closed = true;
      await Promise.all(underWay);
    },
  };
}

type Outcome<Result> =
  | { readonly kind: 'committed'; readonly result: Result }
  /** Certainly nothing was written. */
  | { readonly kind: 'again'; readonly error: PostgresError };

/** One transaction. Rejects with what `work` threw, with `CommitUnknown`, or with what Postgres says. */
async function runOnce<Result>(pool: Pool, work: (trx: Tx) => Promise<Result>): Promise<Outcome<Result>> {
  let phase: Phase = 'begin';
  let connection: Connection | null = null;
  try {
    connection = await pool.connect();
    await connection.run('begin isolation level read committed read write');
    phase = 'work';
    const result = await work(connection.kysely);
    // A statement failed and `work` went on: COMMIT would say ROLLBACK and look like a success.
    const swallowed = connection.failure();
    if (swallowed !== null) throw swallowed;
    phase = 'commit';
    const did = await connection.run('commit');
    if (did !== 'COMMIT') throw new Error(`COMMIT was answered with ${did}`);
    connection.release('whole');
    return { kind: 'committed', result };
  } catch (thrown) {
    const trouble = connection?.failure() ?? thrown;
    await undo(connection, phase);
    if (!(trouble instanceof PostgresError)) throw toError(thrown);
    switch (decideAfterTrouble(phase, trouble)) {
      case 'again':
        return { kind: 'again', error: trouble };
      case 'unknown':
        throw new CommitUnknown(trouble.message);
      case 'rejected':
        throw trouble;
    }
  }
}

/** Rolls back what can be rolled back; closing a connection does the same. */
async function undo(connection: Connection | null, phase: Phase): Promise<void> {
  if (connection === null) return;
  const failure = connection.failure();
  if (phase === 'commit' || failure?.trouble === 'away') return connection.release('broken');
  const rolledBack = await connection.run('rollback').catch(() => 'nothing');
  connection.release(rolledBack === 'ROLLBACK' ? 'whole' : 'broken');
}

/** Work of the same lane runs one after the other, in the order of the calls. */
function makeLanes() {
  const last = new Map<string, Promise<void>>();
  return async <Result>(lane: string | undefined, work: () => Promise<Result>): Promise<Result> => {
    if (lane === undefined) return work();
    const before = last.get(lane) ?? Promise.resolve();
    const working = before.then(work);
    const ended = working.then(
      () => {},
      () => {},
    );
    last.set(lane, ended);
    await ended;
    if (last.get(lane) === ended) last.delete(lane);
    return working;
  };
}

/** So many at once, the others in the order in which they came. */
function makeSlots(most: number) {
  const inLine: (() => void)[] = [];
  let taken = 0;

  function leave(): void {
    const next = inLine.shift();
    if (next === undefined) taken -= 1;
    else next();
  }

  return {
    async run<Result>(work: () => Promise<Result>): Promise<Result> {
      if (taken < most) taken += 1;
      else await new Promise<void>((enter) => inLine.push(enter));
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
