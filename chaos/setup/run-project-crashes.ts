import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, SERVER_LISTENS, startChild } from '../../bench/setup/child-process.ts';
import { systemClock } from '../../src/base/clock.ts';
import { ROOT } from '../../test/setup/root.ts';
import { checkProject, checkUpdate, type ProjectAt, type UpdateRow } from './check-project.ts';
import { CHAOS_TOKEN, call, callUntilAnswered, readStream } from './project-calls.ts';
import type { ProjectCrashPoint } from './project-crash-points.ts';
import { type Database, postgresAt, sqliteIn } from './read-database.ts';
import { exactly, type Finding, told } from './report.ts';

const SERVER = join(ROOT, 'chaos/setup/crashing-project-server.ts');
const DIES_WITHIN_MS = 30_000;
const ENDS_WITHIN_MS = 60_000;
const LOOK_MS = 25;

const FILES = ['a.txt', 'b.txt', 'c.txt'] as const;

export type ProjectCrashRun = {
  readonly points: readonly ProjectCrashPoint[];
  /** Where the server that recovers dies, too, when it comes there; null: it lives. */
  readonly again: ProjectCrashPoint | null;
  /** In place of Claude's process; null: the real one, on the offline model. */
  readonly agent: string | null;
  /** A new database; null: SQLite in the data folder. */
  readonly makeDatabase: (() => Promise<string>) | null;
};

type Trouble = { readonly point: string; readonly what: string };

/**
 * One project; for each point an update whose server dies there, and the next server, which ends the update and is the
 * one that dies at the next point. So each update is also the one that works after a crash.
 */
export async function runProjectCrashes(run: ProjectCrashRun): Promise<readonly Finding[]> {
  const world = await openProject(run);
  const troubles: Trouble[] = [];
  let deaths = 0;
  try {
    for (const [index, point] of run.points.entries()) {
      const after = run.points[index + 1];
      const next = after === undefined ? null : { point: after.name, key: keyOf(after) };
      const tried = await tryPoint(point, { isFirst: index === 0, next, run, world }).catch(
        (error: unknown) => {
          return { deaths: 0, troubles: [`it could not be tried: ${error}`] };
        },
      );
      deaths += tried.deaths;
      troubles.push(...tried.troubles.map((what) => ({ point: point.name, what })));
    }
    const last = await world.update('last', 'update');
    await world.ended(last);
    troubles.push(
      ...(await world.check('update', last, 'last')).map((what) => ({ point: 'afterwards', what })),
    );
    await world.stop();
    troubles.push(...(await checkProject(world.project)).map((what) => ({ point: 'after the stop', what })));
  } finally {
    await world.close();
  }
  return [
    told('points', run.points.length),
    told('deaths', deaths),
    exactly('points where something was wrong', new Set(troubles.map(({ point }) => point)).size, 0),
    ...troubles.map(({ point, what }) => ({ what: point, found: what, must: 'nothing', holds: false })),
  ];
}

type Tried = { readonly deaths: number; readonly troubles: readonly string[] };
type Chain = {
  readonly isFirst: boolean;
  /** Where the server that comes after dies; null: nowhere. */
  readonly next: Hit | null;
  readonly run: ProjectCrashRun;
  readonly world: Awaited<ReturnType<typeof openProject>>;
};

async function tryPoint(point: ProjectCrashPoint, { isFirst, next, run, world }: Chain): Promise<Tried> {
  const key = keyOf(point);
  if (isFirst) await world.restart({ point: point.name, key });
  const asked = world.update(key, point.kind);
  // It is asked again until a server answers; a failure is told where it is waited for.
  asked.catch(() => {});
  if (!(await world.untilDead())) {
    await world.restart(next);
    return { deaths: 0, troubles: ['it never came to it'] };
  }
  let deaths = 1;
  const waiting = await world.find(key);
  if (run.again !== null && waiting !== null) {
    await world.restart({ point: run.again.name, update: waiting.id });
    if (await world.untilDead(waiting.id)) deaths += 1;
  }
  await world.restart(next);
  const id = await asked;
  const update = await world.ended(id);
  return {
    deaths,
    troubles: [
      ...(deaths === 1 ? isAsExpected(update, await world.countEdits(id), point) : []),
      ...(await world.check(point.kind, id, key)),
    ],
  };
}

/** Of the update that is hit there, and what it writes: slow where the server is to die meanwhile. */
function keyOf({ name, when }: ProjectCrashPoint): string {
  return `${name.replaceAll(/\W+/g, '-')}${when === 'soon-after' ? '-slow' : ''}`;
}

function isAsExpected(
  update: UpdateRow,
  edits: number,
  { expected: { attempt, edits: expectedEdits, degraded } }: ProjectCrashPoint,
): readonly string[] {
  const found: readonly string[] = JSON.parse(update.degraded);
  return [
    ...(update.attempt === attempt ? [] : [`it took ${update.attempt} attempts and not ${attempt}`]),
    ...(edits === expectedEdits ? [] : [`it was edited ${edits} times and not ${expectedEdits}`]),
    ...(degraded === null || found.includes(degraded) ? [] : [`it is degraded by ${found}, not ${degraded}`]),
  ];
}

/** What a server is to die of: a point, and the update that it counts for. */
export type Hit = { readonly point: string } & ({ readonly key: string } | { readonly update: number });

/** A project with one version, and the servers that come and go on its data folder. */
export async function openProject({ agent, makeDatabase }: Pick<ProjectCrashRun, 'agent' | 'makeDatabase'>) {
  const folder = await mkdtemp(join(tmpdir(), 'firekeeper-crash-'));
  const dataDir = join(folder, 'data');
  const url = (await makeDatabase?.()) ?? null;
  const database: Database = url === null ? sqliteIn(dataDir) : postgresAt(url);
  let server: Child | null = null;
  let projectId = '';
  /** What each version's files hold. */
  const marks = new Map<number, string>();

  const address = () => server?.address ?? 'http://127.0.0.1:9';

  async function restart(hit: Hit | null): Promise<void> {
    await server?.kill();
    server = await startChild(SERVER, {
      args: [
        hit?.point ?? 'none',
        ...(hit !== null && 'key' in hit ? ['--key', hit.key] : []),
        ...(hit !== null && 'update' in hit ? ['--update', String(hit.update)] : []),
        ...(agent === null ? [] : ['--agent', agent]),
      ],
      cwd: ROOT,
      env: {
        ...{ HOME: folder, TMPDIR: folder, PORT: '0', DATA_DIR: dataDir, LOG_LEVEL: 'fatal' },
        ...{ SPARE_AGENTS: '0', REWARM_SESSIONS: '0', CATCH_UP_HOURS: '0', ADMIN_TOKEN: CHAOS_TOKEN },
        ...(url === null ? {} : { DATABASE_URL: url }),
      },
      ready: SERVER_LISTENS,
    });
  }

  async function read(id: number): Promise<UpdateRow> {
    const [row] = await database.read<UpdateRow>(
      `select id, status, attempt, degraded, error_code, result_version, finished_at from updates where id = ${id}`,
    );
    if (row === undefined) throw new Error(`there is no update ${id}`);
    return row;
  }

  async function ended(id: number): Promise<UpdateRow> {
    const until = performance.now() + ENDS_WITHIN_MS;
    while (performance.now() < until) {
      const row = await read(id);
      if (row.finished_at !== null) return row;
      await systemClock.sleep(LOOK_MS);
    }
    throw new Error(`update ${id} has not ended: ${JSON.stringify(await read(id))}`);
  }

  /** Queues one; its id. A restore brings back version 1. */
  async function update(key: string, kind: ProjectCrashPoint['kind'], change = ''): Promise<number> {
    const path = {
      update: `/v1/projects/${projectId}/updates`,
      restore: `/v1/projects/${projectId}/versions/1/restore`,
      compact: `/v1/projects/${projectId}/session/compact`,
    }[kind];
    const body = kind === 'update' ? { prompt: `${promptFor(key, agent)} ${change}` } : {};
    return (await callUntilAnswered(address, path, { body, key })).id;
  }

  const project = (): ProjectAt => ({ id: projectId, dataDir, database });

  await restart(null);
  const made = await call(address(), 'POST', '/v1/projects', { body: { name: 'Crashing', policy: POLICY } });
  projectId = ((await made.json()) as { readonly id: string }).id;
  const first = await ended(await update('first', 'update'));
  if (first.status !== 'completed') throw new Error(`the first update failed: ${JSON.stringify(first)}`);
  marks.set(1, 'first');

  return {
    get project() {
      return project();
    },
    restart,
    update,
    ended,
    read,
    address,
    folder,

    /** The server goes on, or not, whatever comes after it. */
    letGo(): Child {
      if (server === null) throw new Error('there is no server');
      const left = server;
      server = null;
      return left;
    },

    async find(key: string): Promise<{ readonly id: number } | null> {
      const rows = await database.read<{ id: number }>(
        `select id from updates where idempotency_key = '${key}' and finished_at is null`,
      );
      return rows[0] ?? null;
    },

    async countEdits(id: number): Promise<number> {
      const rows = await database.read(
        `select id from update_runs where update_id = ${id} and purpose = 'edit'`,
      );
      return rows.length;
    },

    /** False: it lives on. With an update it is no longer waited for once that has ended. */
    async untilDead(update?: number): Promise<boolean> {
      const until = performance.now() + DIES_WITHIN_MS;
      while (performance.now() < until) {
        if (!isAlive(server?.pid ?? 0)) return true;
        if (update !== undefined && (await read(update)).finished_at !== null) return false;
        await systemClock.sleep(LOOK_MS);
      }
      return false;
    },

    /** After an update that was to change the files has ended. */
    async check(kind: ProjectCrashPoint['kind'], id: number, key: string): Promise<readonly string[]> {
      const row = await read(id);
      const rows = await database.read(`select id from updates where idempotency_key = '${key}'`);
      const mark = kind === 'restore' ? marks.get(1) : key;
      if (row.result_version !== null) marks.set(row.result_version, mark ?? '');
      return [
        ...(row.status === 'completed' ? [] : [`it is ${row.status}: ${row.error_code}`]),
        ...(rows.length === 1 ? [] : [`there are ${rows.length} updates of one key`]),
        ...(await findOtherFiles(project(), `${mark}`)),
        ...(await checkUpdate(project(), id, await readStream(address(), id))),
        ...(await checkProject(project())),
      ];
    },

    async stop(): Promise<void> {
      await server?.stop();
    },

    async close(): Promise<void> {
      await server?.kill();
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

/** Slow where the server is to die meanwhile. */
const CHECK = `case "$(cat a.txt)" in *slow*) sleep 1;; esac; ${FILES.map((file) => `test -s ${file}`).join(' && ')}`;

/** Every step there is. */
const POLICY = {
  recommendations: true,
  documentation: true,
  compact_above_tokens: 1_000,
  max_context_tokens: 1_000_000,
  verify_unsandboxed: true,
  verify: [{ name: 'test', command: ['sh', '-c', CHECK] }],
};

/** Three files, and a while before the last of them, or before the answer. */
function promptFor(mark: string, agent: string | null): string {
  if (agent !== null) {
    const [one, two, three] = FILES.map((file) => `put ${mark} into ${file}`);
    return `${one} and ${two} then use a tool for 0.6 seconds and ${three} ${'and so on '.repeat(120)}`;
  }
  const wishes = FILES.map(
    (file) => `use tool Write with ${JSON.stringify({ file_path: file, content: `${mark}\n` })}`,
  );
  return `${wishes.join(' then ')} and think for 0.8 seconds`;
}

/** Half of an edit is nobody's version. */
async function findOtherFiles({ id, dataDir }: ProjectAt, mark: string): Promise<readonly string[]> {
  const work = join(dataDir, 'projects', id, 'work');
  const texts = await Promise.all(
    FILES.map((file) => readFile(join(work, file), 'utf8').catch(() => 'nothing')),
  );
  return FILES.flatMap((file, index) =>
    texts[index]?.trim() === mark ? [] : [`${file} holds ${texts[index]?.trim()} and not ${mark}`],
  );
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
