/** How fast a webhook is answered: 200 with its row on disk. */
import { join } from 'node:path';
import { startLocalCampfire } from './setup/campfire.ts';
import { show } from './setup/format.ts';
import { startFrontDoor } from './setup/front-door-process.ts';
import { makeFsyncProbe } from './setup/fsync.ts';
import { loadWebhooks } from './setup/load.ts';
import { startModelProcess } from './setup/model-process.ts';
import { type Bench, type Findings, runBench, toRow } from './setup/run.ts';
import { readMetric, type ServerProcess, startServerProcess } from './setup/server-process.ts';
import { toServerEnv } from './setup/settings.ts';
import { median, summarize } from './setup/statistics.ts';

/** Rounds with one server each, so that its backlog stays that of a bad day. */
const SERVERS = 7;
const ROUNDS = 3;
/** Until the code is compiled: a server that has just started answers at half the speed. */
const WARM_UP = 3_000;
const SYNCS = 20;
const POINTS = [
  { connections: 1, requests: 60 },
  { connections: 16, requests: 800 },
  { connections: 64, requests: 800 },
] as const;
/** The turn that runs meanwhile waits for its model: what is measured is the door. */
const MODEL_ANSWERS_AFTER_MS = 3_600_000;

type Point = (typeof POINTS)[number];
type Figures = { latencies: number[]; rates: number[] };
type Subject = 'Firekeeper' | 'without the database' | 'bare Fastify';
type Measured = {
  readonly figures: Map<string, Figures>;
  readonly rowsPerCommit: Map<number, number[]>;
  readonly syncs: number[];
};
const SUBJECTS: readonly Subject[] = ['Firekeeper', 'without the database', 'bare Fastify'];

async function startServer(bench: Bench, index: number): Promise<ServerProcess> {
  const model = await startModelProcess(bench, MODEL_ANSWERS_AFTER_MS);
  const campfire = await startLocalCampfire(bench);
  return startServerProcess(
    bench,
    toServerEnv({
      dataDir: join(bench.folder, `server-${index}`),
      model,
      campfire,
      more: {
        MAX_HOT_SESSIONS: '1',
        DRAIN_SECONDS: '0',
        TURN_TIMEOUT_SECONDS: '3600',
        STUCK_AFTER_SECONDS: '3600',
      },
    }),
  );
}

async function measure(bench: Bench): Promise<Findings> {
  const bare = await startFrontDoor(bench, 'bare');
  const noDatabase = await startFrontDoor(bench, 'no-database');
  const probe = makeFsyncProbe(bench.folder);
  bench.defer(probe.close);
  const measured: Measured = { figures: new Map(), rowsPerCommit: new Map(), syncs: [] };
  for (let index = 0; index < SERVERS; index += 1) {
    const server = await startServer(bench, index);
    const doors = new Map<Subject, string>([
      ['bare Fastify', bare],
      ['without the database', noDatabase],
      ['Firekeeper', server.webhookUrl],
    ]);
    for (const url of doors.values())
      await loadWebhooks(url, { connections: 16, requests: WARM_UP, room: '1' });
    for (let round = 0; round < ROUNDS; round += 1) {
      bench.progress(`server ${index + 1} of ${SERVERS}, round ${round + 1} of ${ROUNDS}`);
      for (const point of POINTS) await measurePoint(point, doors, server, measured);
      for (let count = 0; count < SYNCS; count += 1) measured.syncs.push(probe.once());
    }
    await server.stop();
  }
  return toFindings(measured);
}

async function measurePoint(
  { connections, requests }: Point,
  doors: ReadonlyMap<Subject, string>,
  server: ServerProcess,
  { figures, rowsPerCommit }: Measured,
): Promise<void> {
  const before = await readWrites(server);
  for (const [subject, url] of doors) {
    const load = await loadWebhooks(url, { connections, requests, room: '1' });
    const figure = at(figures, `${connections} ${subject}`, { latencies: [], rates: [] });
    figure.latencies.push(...load.latenciesMs);
    figure.rates.push(load.requestsPerSecond);
  }
  const after = await readWrites(server);
  at(rowsPerCommit, connections, []).push((after.writes - before.writes) / (after.commits - before.commits));
}

async function readWrites(server: ServerProcess) {
  return {
    writes: await readMetric(server, 'firekeeper_database_writes_total'),
    commits: await readMetric(server, 'firekeeper_database_commits_total'),
  };
}

function toFindings({ figures, rowsPerCommit, syncs }: Measured): Findings {
  const figure = (connections: number, subject: Subject): Figures => {
    const found = figures.get(`${connections} ${subject}`);
    if (found === undefined) throw new Error(`${subject} was not measured at ${connections}`);
    return found;
  };
  const rate = (connections: number, subject: Subject) => median(figure(connections, subject).rates);
  const p99 = summarize(figure(16, 'Firekeeper').latencies).p99 ?? Number.POSITIVE_INFINITY;
  const shares = median(rowsPerCommit.get(16) ?? []);
  const rows = POINTS.flatMap(({ connections }) =>
    SUBJECTS.flatMap((subject) => {
      const { latencies, rates } = figure(connections, subject);
      return [
        toRow(`${connections} connections, ${subject}`, 'ms', latencies),
        toRow(`${connections} connections, ${subject}`, 'req/s', rates),
      ];
    }),
  );
  const shared = POINTS.map(({ connections }) =>
    toRow(`${connections} connections, rows per commit`, 'rows', rowsPerCommit.get(connections) ?? []),
  );
  const ratio = (connections: number) =>
    rate(connections, 'Firekeeper') / rate(connections, 'without the database');
  return {
    rows: [...rows, ...shared, toRow('one fsync alone', 'ms', syncs)],
    requirements: [
      { what: 'p99 at 16 connections', must: '< 10 ms', measured: `${show(p99)} ms`, met: p99 < 10 },
      ...[16, 64].map((connections) => ({
        what: `req/s at ${connections} connections, to the route without the database`,
        must: '≥ 0.5',
        measured: show(ratio(connections)),
        met: ratio(connections) >= 0.5,
      })),
      { what: 'rows per commit at 16 connections', must: '≥ 3', measured: show(shares), met: shares >= 3 },
    ],
    notes: [
      'The server, the two other routes and the model have a process each; the load comes from the bench. A turn runs meanwhile and waits for its model. “Without the database” is our route with everything but the row.',
    ],
  };
}

function at<Key, Value>(map: Map<Key, Value>, key: Key, first: Value): Value {
  const found = map.get(key) ?? first;
  map.set(key, found);
  return found;
}

await runBench('ack', 'webhook to 200 with the row on disk', measure);
