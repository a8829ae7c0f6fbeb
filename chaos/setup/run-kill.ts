import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Child, SERVER_LISTENS, startChild } from '../../bench/setup/child-process.ts';
import { quantile } from '../../bench/setup/statistics.ts';
import { systemClock } from '../../src/base/clock.ts';
import { ROOT } from '../../test/setup/root.ts';
import { familiesOf } from './families-memory.ts';
import { probeHealth } from './probe-health.ts';
import { atMost, exactly, type Finding, told } from './report.ts';
import { inParallel, seeded } from './world.ts';

export type KillRun = {
  readonly messages: number;
  readonly rooms: number;
  /** Longest pause between two messages of a room. */
  readonly pauseMs: number;
  /** The server is killed after a time between these. */
  readonly killAfterMs: readonly [number, number];
  readonly seed: number;
  /** False: times are told, not judged. */
  readonly judgesTimes: boolean;
};

/** Messages go in while the server is killed again and again; afterwards its own history is checked. */
export async function runKill(run: KillRun): Promise<readonly Finding[]> {
  const folder = await mkdtemp(join(tmpdir(), 'firekeeper-chaos-'));
  const dataDir = join(folder, 'data');
  const random = seeded(run.seed);
  const firstTurnMs: number[] = [];
  const leftFamilies: number[] = [];
  let server = await startServer(folder, dataDir);
  let kills = 0;
  let restarting: Promise<void> = Promise.resolve();
  let done = false;
  const ackMs: number[] = [];
  const health = probeHealth();
  health.ask(server.address);

  async function killAndRestart(): Promise<void> {
    while (!done) {
      const [least, most] = run.killAfterMs;
      await systemClock.sleep(least + random() * (most - least));
      if (done) return;
      restarting = restart();
      await restarting;
    }
  }
  async function restart(): Promise<void> {
    const owner = await ownerOf(dataDir);
    const before = new Set((await familiesOf(owner)).map(({ agent }) => agent));
    health.ask(null);
    await server.kill();
    kills += 1;
    const begun = performance.now();
    server = await startServer(folder, dataDir);
    health.ask(server.address);
    const turn = await firstTurn(server, dataDir, begun);
    if (turn !== null) firstTurnMs.push(turn);
    const left = (await familiesOf(owner)).filter(({ agent }) => before.has(agent));
    leftFamilies.push(left.length);
  }

  const killing = killAndRestart();
  const accepted: string[] = [];
  const rooms = Array.from({ length: run.rooms }, (_, index) => `room-${index}`);
  const each = Math.ceil(run.messages / run.rooms);
  try {
    await inParallel(rooms, run.rooms, async (room) => {
      for (let index = 0; index < each; index++) {
        const id = `${room}-${index}`;
        const ack = await post(
          () => server.address,
          room,
          id,
          () => restarting,
        );
        ackMs.push(ack);
        accepted.push(id);
        await systemClock.sleep(random() * run.pauseMs);
      }
    });
    done = true;
    await killing;
    await waitUntilQuiet(server, dataDir);
    const healthMs = await health.stop();
    await server.stop();
    return [
      ...check({ accepted, dataDir, kills, leftFamilies, seed: run.seed }),
      ...checkTimes({ firstTurnMs, healthMs, ackMs }, run.judgesTimes),
    ];
  } finally {
    done = true;
    await health.stop();
    await server.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function startServer(folder: string, dataDir: string): Promise<Child> {
  return startChild(join(ROOT, 'src/main.ts'), {
    cwd: ROOT,
    env: {
      ...{ HOME: folder, TMPDIR: folder, PORT: '0', DATA_DIR: dataDir, LOG_LEVEL: 'warn' },
      FLOOD_LIMITS: 'off',
    },
    ready: SERVER_LISTENS,
  });
}

/** Sends one webhook until it is answered 200, and how long that answer took: what Campfire does not do, and a person does. */
async function post(
  address: () => string,
  room: string,
  id: string,
  restarted: () => Promise<void>,
): Promise<number> {
  const body = JSON.stringify({
    id,
    creator: { id: 1, name: 'David' },
    room: { id: room, name: room },
    content: `mark-${id}-end`,
  });
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const asked = performance.now();
    try {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${address()}/webhook`, { method: 'POST', headers, body });
      if (answer.status === 200) return performance.now() - asked;
    } catch {
      // The server is being killed: the next one takes it, or knows it already.
    }
    await restarted();
    await systemClock.sleep(20);
  }
  throw new Error(`${id} was never accepted`);
}

async function ownerOf(dataDir: string): Promise<string> {
  return (
    readRows<{ value: string }>(dataDir, "select value from meta where key = 'owner'")[0]?.value ?? 'none'
  );
}

function readRows<Row>(dataDir: string, sql: string): readonly Row[] {
  const database = new DatabaseSync(join(dataDir, 'firekeeper.sqlite'), { readOnly: true });
  try {
    return database.prepare(sql).all() as Row[];
  } finally {
    database.close();
  }
}

type Waiting = { readonly count: number };

/** Milliseconds from the restart until a waiting message was settled; null when none waited. */
async function firstTurn(server: Child, dataDir: string, begun: number): Promise<number | null> {
  const settled = () =>
    readRows<Waiting>(dataDir, "select count(*) as count from inbox where state = 'settled'")[0]?.count ?? 0;
  const open =
    readRows<Waiting>(dataDir, 'select count(*) as count from inbox where ended_at is null')[0]?.count ?? 0;
  if (open === 0 || server.address === '') return null;
  const before = settled();
  for (let look = 0; look < 1_500; look++) {
    if (settled() > before) return performance.now() - begun;
    await systemClock.sleep(20);
  }
  return 30_000;
}

async function waitUntilQuiet(server: Child, dataDir: string): Promise<void> {
  const token = (await readFile(join(dataDir, 'admin-token'), 'utf8')).trim();
  for (let look = 0; look < 3_000; look++) {
    const stats = await fetch(`${server.address}/queue/stats`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const { depth } = (await stats.json()) as { depth: number };
    const owed = readRows<Waiting>(dataDir, 'select count(*) as count from outbox where ended_at is null')[0]
      ?.count;
    if (depth === 0 && owed === 0) return;
    await systemClock.sleep(100);
  }
}

type History = {
  readonly accepted: readonly string[];
  readonly dataDir: string;
  readonly kills: number;
  readonly leftFamilies: readonly number[];
  readonly seed: number;
};

/** Every accepted message has one visible end in its room, in the order of acceptance. */
function check({ accepted, dataDir, kills, leftFamilies, seed }: History): readonly Finding[] {
  const inbox = readRows<{ message_id: string; room_id: string; state: string; ends: number }>(
    dataDir,
    `select i.message_id, i.room_id, i.state, count(o.id) as ends from inbox i
     left join outbox o on o.inbox_id = i.id and o.state = 'sent' and o.kind not in ('busy', 'takes_longer', 'working')
     group by i.id order by i.id`,
  );
  const shown = readRows<{ room_id: string; plain_text: string }>(
    dataDir,
    'select room_id, plain_text from room_messages where author_is_bot = 1 order by id',
  ).flatMap(({ room_id, plain_text }) => {
    const mark = /mark-(\S+?)-end/.exec(plain_text)?.[1];
    return mark === undefined ? [] : [{ room: room_id, mark }];
  });
  const stored = new Map(inbox.map((row) => [row.message_id, row]));
  const counts = new Map<string, number>();
  for (const { mark } of shown) counts.set(mark, (counts.get(mark) ?? 0) + 1);
  const answered = inbox.filter(({ state }) => state === 'settled').map(({ message_id }) => message_id);
  return [
    told('messages accepted with 200', accepted.length),
    told('kills', kills),
    told('seed', seed),
    exactly('accepted but not stored', accepted.filter((id) => !stored.has(id)).length, 0),
    exactly(
      'stored without an end',
      inbox.filter(({ state }) => state === 'waiting' || state === 'running').length,
      0,
    ),
    exactly('without exactly one visible end', inbox.filter(({ ends }) => ends !== 1).length, 0),
    exactly('answered and not shown once', answered.filter((id) => counts.get(id) !== 1).length, 0),
    exactly('replies out of order', countDisorder(shown, inbox), 0),
    told(
      'given up after three attempts, with a notice',
      inbox.filter(({ state }) => state === 'buried').length,
    ),
    exactly(
      'families of a killed server left when the next one had its first turn',
      Math.max(0, ...leftFamilies),
      0,
    ),
  ];
}

type Times = Readonly<Record<'firstTurnMs' | 'healthMs' | 'ackMs', readonly number[]>>;

function checkTimes({ firstTurnMs, healthMs, ackMs }: Times, judges: boolean): readonly Finding[] {
  const at = (times: readonly number[], share: number) =>
    times.length === 0
      ? 0
      : Math.round(
          quantile(
            [...times].sort((a, b) => a - b),
            share,
          ),
        );
  const within = (what: string, found: number, limit: number) =>
    judges ? atMost(what, found, limit) : told(what, found);
  return [
    within('restart to first turn, median ms', at(firstTurnMs, 0.5), 2_000),
    told('restart to first turn, worst ms', at(firstTurnMs, 1)),
    within('/health while the server is up, p95 ms', at(healthMs, 0.95), 50),
    told('/health, questions answered', healthMs.length),
    told('webhook to 200, p99 ms', at(ackMs, 0.99)),
  ];
}

function countDisorder(
  shown: readonly { room: string; mark: string }[],
  inbox: readonly { message_id: string; room_id: string }[],
): number {
  const order = new Map(inbox.map(({ message_id }, index) => [message_id, index]));
  const last = new Map<string, number>();
  let disorder = 0;
  for (const { room, mark } of shown) {
    const index = order.get(mark) ?? -1;
    if (index < (last.get(room) ?? -1)) disorder += 1;
    last.set(room, index);
  }
  return disorder;
}
