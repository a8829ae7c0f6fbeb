import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import pg from 'pg';
import { type Clock, within } from '../../base/clock.ts';
import type { Instant } from '../../base/terms.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import { DatabaseBusy } from '../database.ts';
import { toPostgresError } from './errors.ts';
import { clientConfig } from './pool.ts';

/** Two servers on one database are told apart by a number of ours and, where a database has several, the schema. */
const OUR_LOCK = 0x46_49_52_45;
/** The key in `meta` under which the server that has the database leaves its name. */
export const LOCK_MARK = 'server';
/** A server that was killed a moment ago is gone when Postgres has noticed. */
const START_LIMIT_MS = 4_000;
/** How often a connection that went silent is looked for, and how long its answer may take. */
const HEARTBEAT_MS = 5_000;
const ANSWER_LIMIT_MS = 3_000;
const RETRY_MS = 250;

/** Another server works on the database, or has since this one lost its lock. */
export class DatabaseTaken extends Error {
  constructor(why: string) {
    super(`the database is in use by another Firekeeper${why}: stop it first, or use another DATABASE_URL`);
    this.name = 'DatabaseTaken';
  }
}

export type ServerLock = {
  /** Resolves at once while the lock is held. Rejects with `DatabaseBusy` after `limitMs` without it, or with `DatabaseTaken`. */
  held(limitMs: number): Promise<void>;
  /** Leaves this server's name in the database: whoever finds it unchanged knows that nobody else was there. */
  sign(): Promise<void>;
  release(): Promise<void>;
};

export type LockDeps = {
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn' | 'info'>;
  /** Another server has the database: this one can write nothing any more and has to stop. Called once. */
  onTaken(error: DatabaseTaken): void;
};

/**
 * The right to be the one server of a database: an advisory lock of Postgres's, on a connection of its own, which ends
 * with the process however that ends.
 *
 *   taken ─▶ held ──connection ends, or is silent──▶ lost ──taken again, and nobody else signed──▶ held
 *                                                     └──another has it, or had it──▶ given up (`onTaken`)
 *
 * While it is lost nothing is written (`held`), since another server may have begun; while Postgres is down nobody can.
 */
export async function takeLock(url: string, deps: LockDeps): Promise<ServerLock> {
  const { clock, log } = deps;
  const me = {
    id: randomUUID(),
    pid: process.pid,
    host: hostname(),
    started: new Date(clock.now()).toISOString(),
  };
  const closing = new AbortController();
  let session = await takeAtStart();
  let state: 'held' | 'lost' | DatabaseTaken = 'held';
  let regained: Promise<void> = Promise.resolve();
  const stopBeating = clock.every(HEARTBEAT_MS, () => void beat(session));
  watch(session);

  async function takeAtStart(): Promise<pg.Client> {
    const until: Instant = clock.now() + START_LIMIT_MS;
    for (;;) {
      const client = await connect(url, me.id);
      const answer = await tryLock(client).catch((thrown) => end(client).then(() => rethrow(thrown)));
      if (answer === 'taken') return client;
      const holder = await describeHolder(client);
      await end(client);
      if (answer === 'pooled')
        throw new DatabaseTaken(', or DATABASE_URL leads through a transaction pooler');
      if (clock.now() >= until) throw new DatabaseTaken(holder);
      await clock.sleep(RETRY_MS);
    }
  }

  function watch(client: pg.Client): void {
    client.once('end', () => lose(client));
  }

  /** A connection can die without a word: then its end is ours to find. */
  async function beat(client: pg.Client): Promise<void> {
    if (state !== 'held') return;
    const answer = await within(clock, ANSWER_LIMIT_MS, client.query('select 1')).catch(() => 'timed-out');
    if (answer === 'timed-out') lose(client);
  }

  function lose(client: pg.Client): void {
    if (client !== session || state !== 'held' || closing.signal.aborted) return;
    state = 'lost';
    log.warn('the connection to Postgres is lost: nothing is written until it is back');
    void end(client);
    regained = regain();
  }

  async function regain(): Promise<void> {
    while (!closing.signal.aborted) {
      const found = await takeAgain().catch(() => null);
      if (found instanceof DatabaseTaken) return giveUp(found);
      if (found !== null) return resume(found);
      await clock.sleep(RETRY_MS, closing.signal);
    }
  }

  /** Null: not yet. Rejects while Postgres is away. */
  async function takeAgain(): Promise<pg.Client | DatabaseTaken | null> {
    const client = await connect(url, me.id);
    let keep = false;
    try {
      const answer = await tryLock(client);
      if (answer !== 'taken') return (await endOwnSession(client, me.id)) ? null : await toTaken(client);
      keep = (await readMark(client))?.id === me.id;
      return keep ? client : await toTaken(client);
    } finally {
      if (!keep) await end(client);
    }
  }

  async function toTaken(client: pg.Client): Promise<DatabaseTaken> {
    return new DatabaseTaken(`${await describeHolder(client)}, which began when this one had lost its lock`);
  }

  function resume(client: pg.Client): void {
    session = client;
    state = 'held';
    watch(client);
    log.info('the connection to Postgres is back');
  }

  function giveUp(error: DatabaseTaken): void {
    state = error;
    stopBeating();
    deps.onTaken(error);
  }

  return {
    async held(limitMs) {
      if (state === 'held') return;
      await within(clock, limitMs, regained);
      // Read anew: `regained` has changed it.
      const now = state as 'held' | 'lost' | DatabaseTaken;
      if (now === 'lost') throw new DatabaseBusy('the connection to Postgres is lost');
      if (now !== 'held') throw now;
    },

    async sign() {
      const text = JSON.stringify(me);
      const insert =
        'insert into meta (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value';
      await session.query(insert, [LOCK_MARK, text]).catch(rethrow);
    },

    async release() {
      closing.abort();
      stopBeating();
      await regained;
      await end(session);
    },
  };
}

/** A connection that Postgres gives up within half a minute when this machine is gone, and names after its server. */
async function connect(url: string, id: string): Promise<pg.Client> {
  const client = new pg.Client({ ...clientConfig(url), query_timeout: ANSWER_LIMIT_MS });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query(
      `set application_name = '${sessionName(id)}'; set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; ` +
        `set tcp_keepalives_count = 3; select set_config(name, '0', false) from pg_settings where name = 'idle_session_timeout'`,
    );
    return client;
  } catch (thrown) {
    await end(client);
    throw toPostgresError(thrown);
  }
}

function sessionName(id: string): string {
  return `firekeeper lock ${id}`;
}

/** From where to read who holds our lock of this database and schema. */
export const HELD = `from pg_locks where locktype = 'advisory' and granted
  and database = (select oid from pg_database where datname = current_database())
  and classid = ${OUR_LOCK} and objid = current_schema()::regnamespace::oid`;

/** `pooled`: this session has the lock already, so it is shared with another client: a transaction pooler. */
async function tryLock(client: pg.Client): Promise<'taken' | 'refused' | 'pooled'> {
  const { rows } = await client.query(
    `select case when exists (select ${HELD} and pid = pg_backend_pid()) then 'pooled'
      when pg_try_advisory_lock(${OUR_LOCK}, current_schema()::regnamespace::oid::int) then 'taken'
      else 'refused' end as answer`,
  );
  return rows[0].answer;
}

/** Ends the session that this server lost without Postgres noticing; false when the lock is another's. */
async function endOwnSession(client: pg.Client, id: string): Promise<boolean> {
  const { rows } = await client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = $1 and pid in (select pid ${HELD})`,
    [sessionName(id)],
  );
  return rows.length > 0;
}

async function readMark(client: pg.Client): Promise<Readonly<Record<string, unknown>> | null> {
  const { rows } = await client.query('select value from meta where key = $1', [LOCK_MARK]);
  // Written by `sign` and by nobody else.
  return rows.length === 0 ? null : (JSON.parse(rows[0].value) as Record<string, unknown>);
}

/** In words, for whoever is refused; nothing when it has not signed yet. */
async function describeHolder(client: pg.Client): Promise<string> {
  const mark = await readMark(client).catch(() => null);
  return mark === null ? '' : ` (process ${mark.pid} on ${mark.host}, started ${mark.started})`;
}

async function end(client: pg.Client): Promise<void> {
  await client.end().catch(() => {});
}

function rethrow(thrown: unknown): never {
  throw toPostgresError(thrown);
}
