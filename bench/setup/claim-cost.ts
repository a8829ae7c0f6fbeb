/** What it costs to find the next update, and to queue one, in the store alone. */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../../src/base/clock.ts';
import {
  type Claim,
  type NewUpdate,
  type ProjectId,
  type ProjectStore,
  policySchema,
} from '../../src/projects/projects.ts';
import { openSqlite } from '../../src/store/sqlite/sqlite.ts';
import { makeStore } from '../../src/store/store.ts';
import type { Bench } from './run.ts';

/** As many as one project lets wait. */
const DEPTH = 20;
const ROUNDS = 20;
const MOST_IN_ROUND = 10;
const LOOKS = 100;
const AT_ONCE = 16;

export type Backlog = {
  readonly name: string;
  readonly projects: number;
  /** In each of them. */
  readonly updates: number;
};

export type ClaimCost = {
  readonly claims: number[];
  /** Looks that found nothing to do because every project was held. */
  readonly idle: number[];
};

type Place = Awaited<ReturnType<typeof openBacklog>>;

/** The backlogs take turns, so that all of them meet the same machine. */
export async function measureClaims(
  bench: Bench,
  backlogs: readonly Backlog[],
): Promise<ReadonlyMap<string, ClaimCost>> {
  const costs = new Map<string, ClaimCost>();
  const places: Place[] = [];
  for (const backlog of backlogs) {
    places.push(await openBacklog(bench, backlog));
    costs.set(backlog.name, { claims: [], idle: [] });
  }
  const each = async (work: (place: Place, cost: ClaimCost) => Promise<void>) => {
    for (const place of places) await work(place, costs.get(place.name) ?? { claims: [], idle: [] });
  };
  for (let round = 0; round < ROUNDS; round += 1) await each(claimAndPutBack);
  await each(async ({ store, projects }) => {
    for (const _ of projects) await claimOne(store, []);
  });
  for (let look = 0; look < LOOKS; look += 1) await each(lookInVain);
  return costs;
}

async function openBacklog(bench: Bench, backlog: Backlog) {
  const { store, file, close } = await openStore(bench, backlog.name);
  bench.defer(close);
  return { name: backlog.name, store, projects: await seed(store, file, backlog) };
}

async function claimAndPutBack({ store, projects }: Place, { claims }: ClaimCost): Promise<void> {
  const held: Claim[] = [];
  const most = Math.min(MOST_IN_ROUND, projects.length);
  while (held.length < most) held.push(await claimOne(store, claims));
  for (const claim of held) await putBack(store, claim);
}

async function lookInVain({ store }: Place, { idle }: ClaimCost): Promise<void> {
  const begun = performance.now();
  if ((await store.queue.claim()) !== null) throw new Error('a held project was claimed');
  idle.push(performance.now() - begun);
}

/** One after the other, and so many at once that they share commits. */
export async function measureEnqueues(bench: Bench, projects: number) {
  const { store, close } = await openStore(bench, 'enqueue');
  try {
    const ids = await makeProjects(store, projects);
    const wishes = Array.from({ length: DEPTH }, () => ids).flat();
    const half = wishes.length / 2;
    const alone: number[] = [];
    for (const id of wishes.slice(0, half)) alone.push(await enqueueOne(store, id));
    const rest = wishes.slice(half);
    const lane = async (own: readonly ProjectId[]) => {
      const times: number[] = [];
      for (const id of own) times.push(await enqueueOne(store, id));
      return times;
    };
    const lanes = Array.from({ length: AT_ONCE }, (_, at) => rest.filter((__, no) => no % AT_ONCE === at));
    return { alone, together: (await Promise.all(lanes.map(lane))).flat() };
  } finally {
    await close();
  }
}

async function openStore(bench: Bench, name: string) {
  const folder = join(bench.folder, `store-${name.replaceAll(/\W+/g, '-')}`);
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'firekeeper.sqlite');
  const store = makeStore(await openSqlite(file, systemClock), systemClock, {
    holder: 'bench',
    leaseMs: 600_000,
  });
  return { store: store.projects, file, close: () => store.close() };
}

async function seed(store: ProjectStore, file: string, { projects, updates }: Backlog) {
  const ids = await makeProjects(store, projects);
  const queued = Math.min(updates, DEPTH);
  // Round by round, as many people would: the oldest of all projects stand together.
  for (let no = 0; no < queued; no += 1) await Promise.all(ids.map((id) => enqueueOne(store, id)));
  if (updates > queued) addRows(file, ids, updates - queued);
  return ids;
}

function makeProjects(store: ProjectStore, count: number): Promise<readonly ProjectId[]> {
  const policy = policySchema.parse({});
  const ids = Array.from({ length: count }, () => randomUUID() as string as ProjectId);
  const made = ids.map((id) => store.records.create({ id, name: 'Shop', ownerId: 'bench', policy }));
  return Promise.all(made).then(() => ids);
}

async function enqueueOne(store: ProjectStore, project: ProjectId): Promise<number> {
  const update = newUpdate(project);
  const begun = performance.now();
  const { kind } = await store.queue.enqueue(update);
  if (kind !== 'queued') throw new Error(`an update was answered ${kind}`);
  return performance.now() - begun;
}

function newUpdate(projectId: ProjectId): NewUpdate {
  const key = randomUUID();
  return {
    ...{ projectId, userId: 'bench', kind: 'update', prompt: 'Make the buttons blue' },
    ...{ idempotencyKey: key, digest: key },
    options: {
      resume: 'auto',
      expectedVersion: null,
      restoreVersion: null,
      recommendations: null,
      documentation: null,
      compact: 'auto',
    },
  };
}

/** More than a project lets wait: copies of its last row, which the queue itself would refuse. */
function addRows(file: string, projects: readonly ProjectId[], each: number): void {
  const database = new DatabaseSync(file);
  const columns = database
    .prepare('pragma table_info(updates)')
    .all()
    .map(({ name }) => String(name))
    .filter((name) => name !== 'id');
  const copied = columns.map((name) =>
    name === 'idempotency_key' ? "idempotency_key || '-' || n.value" : name,
  );
  const insert = database.prepare(
    `with recursive n(value) as (select 1 union all select value + 1 from n where value < ${each})
     insert into updates (${columns.join(', ')})
     select ${copied.join(', ')} from n, (select * from updates where project_id = ? order by id desc limit 1)`,
  );
  for (const id of projects) insert.run(id);
  database.close();
}

async function claimOne(store: ProjectStore, times: number[]): Promise<Claim> {
  const begun = performance.now();
  const claim = await store.queue.claim();
  times.push(performance.now() - begun);
  if (claim === null) throw new Error('nothing was found to claim');
  return claim;
}

async function putBack(store: ProjectStore, claim: Claim): Promise<void> {
  const notBefore = systemClock.now();
  await store.queue.transaction(claim, (tx) =>
    tx.update.requeue({ notBefore, reason: 'back-off', givesBackAttempt: true }),
  );
  await store.queue.release(claim);
}
