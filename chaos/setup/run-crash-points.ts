import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, SERVER_LISTENS, startChild } from '../../bench/setup/child-process.ts';
import { systemClock } from '../../src/base/clock.ts';
import { ROOT } from '../../test/setup/root.ts';
import type { CrashPoint } from './crash-points.ts';
import { DOOMED } from './crashing-store.ts';
import { familiesOf } from './families-memory.ts';
import { post, type Said, untilQuiet } from './messages.ts';
import { type Database, postgresAt, sqliteIn } from './read-database.ts';
import { exactly, type Finding, told } from './report.ts';
import { inParallel } from './world.ts';

const DIES_WITHIN_MS = 20_000;
const QUIET_WITHIN_MS = 90_000;
const LOOK_MS = 25;

export type CrashRun = {
  readonly points: readonly CrashPoint[];
  /** In place of Claude's process; null: the real one, on the offline model. */
  readonly agent: string | null;
  /** A new database for each point; null: SQLite in the data folder. */
  readonly makeDatabase: (() => Promise<string>) | null;
  /** Points that are tried side by side. */
  readonly atOnce: number;
};

/** What went wrong at one point, in words; none: all is as it must be. */
type Trouble = { readonly point: string; readonly what: string };

/**
 * For each point a server of its own that dies there, and another one on the same data: every message that was answered
 * 200 has one visible end, in order, is remembered once, and no process of the dead server is left.
 */
export async function runCrashPoints(run: CrashRun): Promise<readonly Finding[]> {
  const troubles: Trouble[] = [];
  await inParallel(run.points, run.atOnce, async (point) => {
    const found = await tryPoint(point, run);
    troubles.push(...found.map((what) => ({ point: point.name, what })));
  });
  return [
    told('points', run.points.length),
    exactly('points where something was wrong', new Set(troubles.map(({ point }) => point)).size, 0),
    ...troubles.map(({ point, what }) => ({ what: point, found: what, must: 'nothing', holds: false })),
  ];
}

async function tryPoint(point: CrashPoint, { agent, makeDatabase }: CrashRun): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'firekeeper-crash-'));
  const dataDir = join(folder, 'data');
  const url = (await makeDatabase?.()) ?? null;
  const database = url === null ? sqliteIn(dataDir) : postgresAt(url);
  const start = (at: string) =>
    startChild(join(ROOT, 'chaos/setup/crashing-server.ts'), {
      args: [at, ...(agent === null ? [] : ['--agent', agent])],
      cwd: ROOT,
      env: {
        ...{ HOME: folder, TMPDIR: folder, PORT: '0', DATA_DIR: dataDir, LOG_LEVEL: 'error' },
        ...{ SPARE_AGENTS: '0', REWARM_SESSIONS: '0', CATCH_UP_HOURS: '0' },
        ...(url === null ? {} : { DATABASE_URL: url }),
      },
      ready: SERVER_LISTENS,
    });
  let server = await start(point.name);
  try {
    const said: Said[] = [];
    const say = (message: Said) => post(() => server.address, message).then(() => said.push(message));
    if (!point.cold) {
      await say({ room: 'one', id: 'one-1', text: 'I am here' });
      if (!(await untilQuiet(database, QUIET_WITHIN_MS))) return ['it was not answered before the crash'];
    }
    const others = Promise.all([
      say({ room: 'one', id: 'one-2', text: DOOMED }).then(() =>
        say({ room: 'one', id: 'one-3', text: 'I am here too' }),
      ),
      say({ room: 'two', id: 'two-1', text: 'and I am elsewhere' }),
    ]);
    const died = await untilDead(server);
    if (died) server = await start('none');
    await others;
    if (!died) return ['it never came to it'];
    if (!(await untilQuiet(database, QUIET_WITHIN_MS)))
      return ['something has no end', ...(await check(said, database))];
    const troubles = [...(await check(said, database)), ...(await findLeft(database))];
    await server.stop();
    const [owner] = await database.read<{ value: string }>("select value from meta where key = 'owner'");
    const alive = await familiesOf(owner?.value ?? 'none');
    return alive.length === 0 ? troubles : [...troubles, `${alive.length} processes are left after the stop`];
  } finally {
    await server.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function untilDead({ pid }: Child): Promise<boolean> {
  const until = performance.now() + DIES_WITHIN_MS;
  while (performance.now() < until) {
    if (!isAlive(pid)) return true;
    await systemClock.sleep(LOOK_MS);
  }
  return false;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function check(said: readonly Said[], database: Database): Promise<readonly string[]> {
  const rows = await database.read<{ message_id: string; room_id: string; state: string }>(
    'select message_id, room_id, state from inbox order by id',
  );
  const shown = await database.read<{ room_id: string; plain_text: string }>(
    'select room_id, plain_text from room_messages where author_is_bot = 1 order by id',
  );
  const ends = await database.read<{ message_id: string }>(
    `select i.message_id from outbox o join inbox i on i.id = o.inbox_id
     where o.state = 'sent' and o.kind not in ('busy', 'takes_longer', 'working')`,
  );
  // The first mark of a reply is that of the message which it answers; later ones are what it remembers. Remarks have none.
  const marks = (room: string) =>
    shown
      .filter(({ room_id }) => room_id === room)
      .flatMap(({ plain_text }) => /mark-(\S+?)-end/.exec(plain_text)?.[1] ?? []);
  const ofRoom = (room: string) =>
    rows.filter(({ room_id }) => room_id === room).map(({ message_id }) => message_id);
  const accepted = said.map(({ id }) => id).sort();
  const stored = rows.map(({ message_id }) => message_id).sort();
  const ended = ends.map(({ message_id }) => message_id).sort();
  const last =
    shown.findLast(({ room_id, plain_text }) => room_id === 'one' && plain_text.includes('mark-'))
      ?.plain_text ?? '';
  const remembered = /message (\d+) of this conversation/.exec(last)?.[1];
  return [
    ...(`${accepted}` === `${stored}` ? [] : [`accepted ${accepted}, stored ${stored}`]),
    ...(`${ended}` === `${stored}` ? [] : [`stored ${stored}, ended in the room ${ended}`]),
    ...rows
      .filter(({ state }) => state !== 'settled')
      .map(({ message_id, state }) => `${message_id} is ${state}`),
    ...['one', 'two']
      .filter((room) => `${marks(room)}` !== `${ofRoom(room)}`)
      .map((room) => `room ${room} was asked ${ofRoom(room)} and shows ${marks(room)}`),
    ...(remembered === `${ofRoom('one').length}` ? [] : [`the last answer remembers ${remembered}`]),
  ];
}

/** Families of the data folder that its server does not know of. */
async function findLeft(database: Database): Promise<readonly string[]> {
  const [owner] = await database.read<{ value: string }>("select value from meta where key = 'owner'");
  const known = await database.read<{ agent_id: string }>('select agent_id from agents');
  const ours = new Set(known.map(({ agent_id }) => agent_id));
  const left = (await familiesOf(owner?.value ?? 'none')).filter(({ agent }) => !ours.has(agent));
  return left.map(({ pid }) => `process ${pid} of the dead server is left`);
}
