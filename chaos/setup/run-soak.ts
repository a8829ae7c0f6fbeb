import { readdir } from 'node:fs/promises';
import { SCRIPTED_AGENT } from '../../test/fixtures/scripted-agent.ts';
import { sqliteIn } from './read-database.ts';
import { atMost, exactly, type Finding, judged, told } from './report.ts';
import { type Sample, slopePerThousand } from './slope.ts';
import { inParallel, openWorld } from './world.ts';

export type SoakRun = {
  readonly turns: number;
  readonly rooms: number;
  readonly atOnce: number;
  /** Turns before which nothing is measured: caches fill, code is compiled. */
  readonly warmUp: number;
  /** Most growth that is let pass, MB for each 1,000 turns; null: told, not judged. */
  readonly mostGrowth: number | null;
};

/** A conversation is forgotten after so many turns: its agent reads back all that it was told. */
const TURNS_OF_A_CONVERSATION = 200;
const SAMPLES = 200;
const HANDLES = 4;

/** Turn after turn in one process: what it holds must not grow with what it has done. */
export async function runSoak(run: SoakRun): Promise<readonly Finding[]> {
  const world = await openWorld(
    {
      ...{ MAX_HOT_SESSIONS: String(run.rooms), SPARE_AGENTS: '0', REWARM_SESSIONS: '0' },
      ...{ AGENT_MEMORY_BUDGET_MB: '100000', FLOOD_LIMITS: 'off' },
    },
    SCRIPTED_AGENT,
  );
  const { store } = world.app.parts;
  const rss: Sample[] = [];
  const heap: Sample[] = [];
  const handles: Sample[] = [];
  const each = Math.ceil(run.turns / run.rooms);
  const sampleEvery = Math.max(1, Math.floor((run.turns - run.warmUp) / SAMPLES));
  let turns = 0;
  let wrong = 0;
  /** Only where every room has its agent and none is on its way: pipes come and go with them. */
  const allAreThere = async () =>
    (await world.app.parts.agents.census()).length === run.rooms &&
    world.app.parts.sessions.live().length === run.rooms;
  const openHandles = async () => (await readdir('/proc/self/fd')).length;
  try {
    for (let round = 0; round < each; round += 1) {
      const rooms = Array.from({ length: run.rooms }, (_, index) => `room-${index}`);
      if (round > 0 && round % TURNS_OF_A_CONVERSATION === 0)
        await inParallel(rooms, run.atOnce, (room) => world.forget(room));
      await inParallel(rooms, run.atOnce, async (room) => {
        const mark = `mark-${room}-${round}-end`;
        const { reply } = await world.ask(room, mark);
        if (!reply.includes(`You said: “${mark}”`)) wrong += 1;
        turns += 1;
        if (turns < run.warmUp || turns % sampleEvery !== 0) return;
        const memory = process.memoryUsage();
        rss.push({ at: turns, value: memory.rss / 1024 / 1024 });
        heap.push({ at: turns, value: memory.heapUsed / 1024 / 1024 });
      });
      if (turns >= run.warmUp && (await allAreThere()))
        handles.push({ at: turns, value: await openHandles() });
    }
    const { waiting, running } = await store.inbox.counts();
    const { owed, unknown } = await store.outbox.counts();
    const rows = await countRows(world.dataDir);
    const bound = Object.entries(rows).filter(([table]) => !GROWS_WITH_HISTORY.has(table));
    return [
      told('turns', turns),
      exactly('answers that are not to their message', wrong, 0),
      exactly('messages without an end', waiting + running, 0),
      exactly('replies that are still owed', owed + unknown, 0),
      judged('growth of RSS, MB per 1,000 turns', slopePerThousand(rss), run.mostGrowth),
      told('growth of the heap, MB per 1,000 turns', slopePerThousand(heap)),
      told('RSS at the end, MB', Math.round(rss.at(-1)?.value ?? 0)),
      told('times at which handles were counted', handles.length),
      atMost('handles: most minus fewest', spread(handles), 2 * HANDLES),
      ...bound.map(([table, count]) => atMost(`rows of ${table}`, count, mostRows(table, run))),
      ...[...GROWS_WITH_HISTORY].map((table) =>
        atMost(`rows of ${table} per turn`, Math.round(((rows[table] ?? 0) / turns) * 100) / 100, 2),
      ),
    ];
  } finally {
    await world.close();
  }
}

/** What happened is kept until `RETENTION_DAYS`, so that these grow with the turns of that time, and no faster. */
const GROWS_WITH_HISTORY = new Set(['inbox', 'outbox', 'turns', 'ledger', 'room_messages']);

/** The others follow what there is now. */
function mostRows(table: string, { rooms, turns }: SoakRun): number {
  // A turn of the scripted agent leaves two entries.
  if (table === 'transcript_entries') return rooms * Math.min(turns, TURNS_OF_A_CONVERSATION) * 3;
  // One for each time that a conversation was forgotten.
  if (table === 'sessions') return rooms * (1 + Math.floor(turns / rooms / TURNS_OF_A_CONVERSATION));
  return rooms + 20;
}

async function countRows(dataDir: string): Promise<Readonly<Record<string, number>>> {
  const database = sqliteIn(dataDir);
  const tables = await database.read<{ name: string }>(
    "select name from sqlite_master where type = 'table' and name not like 'sqlite%'",
  );
  const counts = await Promise.all(
    tables.map(async ({ name }) => {
      const [row] = await database.read<{ count: number }>(`select count(*) as count from "${name}"`);
      return [name, row?.count ?? 0] as const;
    }),
  );
  return Object.fromEntries(counts);
}

function spread(samples: readonly Sample[]): number {
  const values = samples.map(({ value }) => value);
  return values.length === 0 ? 0 : Math.max(...values) - Math.min(...values);
}
