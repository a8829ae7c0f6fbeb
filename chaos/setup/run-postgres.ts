import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeApp } from '../../src/app.ts';
import { systemClock } from '../../src/base/clock.ts';
import { readConfig } from '../../src/config.ts';
import { makeLog } from '../../src/telemetry/log.ts';
import { SCRIPTED_AGENT } from '../../test/fixtures/scripted-agent.ts';
import { ask, type Cluster } from '../../test/setup/postgres-cluster.ts';
import { ROOT } from '../../test/setup/root.ts';
import { atMost, exactly, type Finding, told } from './report.ts';
import { inParallel, seeded } from './world.ts';

const QUIET_WITHIN_MS = 200_000;
/** A webhook is answered within three seconds; the rest is what a busy machine adds. */
const REFUSED_WITHIN_MS = 5_000;

export type PostgresRun = {
  readonly messages: number;
  readonly rooms: number;
  /** Longest pause between two messages of a room. */
  readonly pauseMs: number;
  /** How long Postgres runs, and then is gone, each time: between these. */
  readonly upMs: readonly [number, number];
  readonly downMs: readonly [number, number];
  readonly seed: number;
};

type Posted = { readonly accepted: string[]; readonly refusedMs: number[] };

/** Messages go in while Postgres is stopped, crashed and started again and again; afterwards its rows are checked. */
export async function runPostgres(run: PostgresRun, cluster: Cluster): Promise<readonly Finding[]> {
  const folder = await mkdtemp(join(tmpdir(), 'firekeeper-chaos-'));
  const random = seeded(run.seed);
  const database = await cluster.makeDatabase();
  const app = await openApp(folder, database);
  const done = new AbortController();
  const posted: Posted = { accepted: [], refusedMs: [] };
  const between = ([least, most]: readonly [number, number]) => least + random() * (most - least);
  let restarts = 0;

  async function restartUntilDone(): Promise<void> {
    while (!done.signal.aborted) {
      await systemClock.sleep(between(run.upMs), done.signal);
      if (done.signal.aborted) return;
      await cluster.stop(restarts % 2 === 0 ? 'fast' : 'immediate');
      await systemClock.sleep(between(run.downMs));
      await cluster.start();
      restarts += 1;
    }
  }

  const restarting = restartUntilDone();
  try {
    const rooms = Array.from({ length: run.rooms }, (_, index) => `room-${index}`);
    await inParallel(rooms, run.rooms, async (room) => {
      for (let index = 0; index < Math.ceil(run.messages / run.rooms); index += 1) {
        await post(app.address, room, `${room}-${index}`, posted);
        await systemClock.sleep(random() * run.pauseMs);
      }
    });
    done.abort();
    await restarting;
    await waitUntilQuiet(database);
  } finally {
    done.abort();
    await restarting;
    await app.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  return [told('restarts of Postgres', restarts), told('seed', run.seed), ...(await check(database, posted))];
}

function openApp(folder: string, database: string) {
  const { config } = readConfig(
    {
      ...{ PATH: process.env.PATH, LANG: 'en', PORT: '0', FLOOD_LIMITS: 'off', MAX_HOT_SESSIONS: '20' },
      ...{ DATA_DIR: join(folder, 'data'), DATABASE_URL: database, SPARE_AGENTS: '0' },
    },
    ROOT,
  );
  const log = makeLog({ level: 'silent', pretty: false });
  return makeApp(config, { log, clock: systemClock, agentExecutable: SCRIPTED_AGENT });
}

/** Sends one webhook until it is answered 200: what Campfire does not do, and a person does. */
async function post(address: string, room: string, id: string, posted: Posted): Promise<void> {
  const body = JSON.stringify({
    id,
    creator: { id: 1, name: 'David' },
    room: { id: room, name: room },
    content: `mark-${id}-end`,
  });
  const headers = { 'content-type': 'application/json' };
  for (let attempt = 0; attempt < 1_000; attempt += 1) {
    const asked = performance.now();
    const { status } = await fetch(`${address}/webhook`, { method: 'POST', headers, body });
    if (status === 200) {
      posted.accepted.push(id);
      return;
    }
    posted.refusedMs.push(performance.now() - asked);
    await systemClock.sleep(50);
  }
  throw new Error(`${id} was never accepted`);
}

async function waitUntilQuiet(database: string): Promise<void> {
  const open = `select (select count(*) from inbox where ended_at is null)
    + (select count(*) from outbox where ended_at is null) as count`;
  const until = systemClock.now() + QUIET_WITHIN_MS;
  while (systemClock.now() < until) {
    if (Number((await ask(database, open))[0]?.count) === 0) return;
    await systemClock.sleep(100);
  }
}

async function check(database: string, { accepted, refusedMs }: Posted): Promise<readonly Finding[]> {
  const inbox = (await ask(
    database,
    `select i.message_id, i.state, count(o.id)::int as ends from inbox i
     left join outbox o on o.inbox_id = i.id and o.state = 'sent' and o.kind not in ('busy', 'takes_longer', 'working')
     group by i.id order by i.id`,
  )) as readonly { message_id: string; state: string; ends: number }[]; // As its SQL asks for them.
  const shown = (await ask(
    database,
    `select room_id, substring(plain_text from 'mark-(\\S+?)-end') as mark from room_messages
     where author_is_bot = 1 order by id`,
  )) as readonly { room_id: string; mark: string | null }[];
  const place = new Map(inbox.map(({ message_id }, index) => [message_id, index]));
  const counts = new Map<string | null, number>();
  for (const { mark } of shown) counts.set(mark, (counts.get(mark) ?? 0) + 1);
  const answered = inbox.filter(({ state }) => state === 'settled');
  return [
    told('messages accepted with 200', accepted.length),
    told('webhooks refused with 503', refusedMs.length),
    atMost('slowest refusal, ms', Math.round(Math.max(0, ...refusedMs)), REFUSED_WITHIN_MS),
    exactly('accepted but not stored', accepted.filter((id) => !place.has(id)).length, 0),
    exactly('stored more than once', inbox.length - place.size, 0),
    exactly('stored without an end', inbox.filter(({ state }) => /waiting|running/.test(state)).length, 0),
    exactly('without exactly one visible end', inbox.filter(({ ends }) => ends !== 1).length, 0),
    exactly(
      'answered and not shown once',
      answered.filter((row) => counts.get(row.message_id) !== 1).length,
      0,
    ),
    exactly('replies out of order', countDisorder(shown, place), 0),
    told('given up after three attempts, with a notice', inbox.length - answered.length),
  ];
}

function countDisorder(
  shown: readonly { readonly room_id: string; readonly mark: string | null }[],
  place: ReadonlyMap<string, number>,
): number {
  const last = new Map<string, number>();
  let disorder = 0;
  for (const { room_id, mark } of shown) {
    const index = mark === null ? undefined : place.get(mark);
    if (index === undefined) continue;
    if (index < (last.get(room_id) ?? -1)) disorder += 1;
    last.set(room_id, index);
  }
  return disorder;
}
