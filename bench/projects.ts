/** Project updates: with their session against without it, how fast one is queued, and what finding the next costs. */
import { type Backlog, type ClaimCost, measureClaims, measureEnqueues } from './setup/claim-cost.ts';
import { CLIENTS, type DoorTimes, measureDoor } from './setup/enqueue-load.ts';
import { show } from './setup/format.ts';
import { type Bench, type Findings, type Requirement, type Row, runBench, toRow } from './setup/run.ts';
import { median, summarize } from './setup/statistics.ts';
import { type Arm, MODEL_MS, measureArms, type Sample } from './setup/update-arms.ts';

const DOOR_PROJECTS = 60;
const STORE_PROJECTS = 60;
const BYTES_PER_TOKEN = 4;
const BACKLOGS = [
  { name: '10 updates in 10 projects', projects: 10, updates: 1 },
  { name: '10,000 updates in 500 projects', projects: 500, updates: 20 },
  { name: '10,000 updates in 5 projects', projects: 5, updates: 2_000 },
] as const satisfies readonly Backlog[];
/** What a cached token costs at most providers, as a share of a new one. */
const CACHED_SHARE = 0.1;

async function measure(bench: Bench): Promise<Findings> {
  const arms = await measureArms(bench);
  bench.progress('updates queued over HTTP');
  const door = await measureDoor(bench, DOOR_PROJECTS);
  bench.progress('updates queued in the store');
  const store = await measureEnqueues(bench, STORE_PROJECTS);
  bench.progress('claims');
  const claims = await measureClaims(bench, BACKLOGS);
  return {
    rows: [
      ...[...arms].flatMap(([arm, samples]) => toArmRows(arm, samples)),
      toRow('queued over HTTP, one client', 'ms', door.alone),
      toRow(`queued over HTTP, ${CLIENTS} clients`, 'ms', door.together),
      toRow('queued in the store, one after the other', 'ms', store.alone),
      toRow('queued in the store, 16 at once', 'ms', store.together),
      ...[...claims].flatMap(([name, { claims: times, idle }]) => [
        toRow(`a claim, ${name}`, 'ms', times),
        toRow(`nothing to claim, ${name}, all held`, 'ms', idle),
      ]),
    ],
    requirements: [...compareArms(arms), ...judgeQueue(door, claims)],
    notes: NOTES,
  };
}

function toArmRows(arm: Arm, samples: readonly Sample[]): readonly Row[] {
  const row = (what: string, unit: string, of: (sample: Sample) => number) =>
    toRow(`${arm}: ${what}`, unit, samples.map(of));
  return [
    row('claimed → first edit', 'ms', ({ toFirstEditMs }) => toFirstEditMs),
    row('claimed → committed', 'ms', ({ toCommitMs }) => toCommitMs),
    row('requests', '', ({ requests }) => requests),
    row('sent', 'tokens', sentTokens),
    row('sent that no cache knows', 'tokens', newTokens),
    row('worth of it, in new tokens', 'tokens', worthOf),
    row('known to a cache', '%', ({ sharedBytes, sentBytes }) => (100 * sharedBytes) / sentBytes),
  ];
}

function sentTokens({ sentBytes }: Sample): number {
  return sentBytes / BYTES_PER_TOKEN;
}

function newTokens({ sentBytes, sharedBytes }: Sample): number {
  return (sentBytes - sharedBytes) / BYTES_PER_TOKEN;
}

function worthOf(sample: Sample): number {
  return newTokens(sample) + CACHED_SHARE * (sentTokens(sample) - newTokens(sample));
}

/** The first update of an arm resumes nothing anywhere, so it is left out here. */
function compareArms(arms: ReadonlyMap<Arm, readonly Sample[]>): readonly Requirement[] {
  const typical = (arm: Arm, of: (sample: Sample) => number) =>
    median((arms.get(arm) ?? []).slice(1).map(of));
  const compare = (what: string, other: Arm, of: (sample: Sample) => number): Requirement => {
    const share = typical('resumed', of) / typical(other, of);
    return { what: `resumed to ${other}: ${what}`, must: '≤ 1', measured: show(share), met: share <= 1 };
  };
  const looking = 'fresh, reads first';
  return [
    compare('to first edit', looking, ({ toFirstEditMs }) => toFirstEditMs),
    compare('to commit', looking, ({ toCommitMs }) => toCommitMs),
    compare('worth of tokens', looking, worthOf),
    compare('tokens that no cache knows', looking, newTokens),
    compare('tokens that no cache knows', 'fresh', newTokens),
  ];
}

function judgeQueue({ together }: DoorTimes, claims: ReadonlyMap<string, ClaimCost>): readonly Requirement[] {
  const p99 = summarize(together).p99 ?? Number.POSITIVE_INFINITY;
  const [few, ...many] = BACKLOGS.map(({ name }) => {
    return { name, ms: median(claims.get(name)?.claims ?? []) };
  });
  const base = few?.ms ?? Number.NaN;
  return [
    {
      what: `queued over HTTP, ${CLIENTS} clients, p99`,
      must: '< 100 ms',
      measured: `${show(p99)} ms`,
      met: p99 < 100,
    },
    ...many.map(({ name, ms }) => ({
      what: `a claim with ${name}, to one with 10`,
      must: '≤ 2',
      measured: show(ms / base),
      met: ms <= 2 * base,
    })),
  ];
}

const NOTES: readonly string[] = [
  `Ten updates, one upon the other, of the small web application of the tests, by the real Claude process in three projects in turn. The model is the offline one, which answers every request after ${MODEL_MS} ms and does what it is told: so there are no dollars, and nobody looks around who was not asked to. “fresh” makes the same edits unseen; “fresh, reads first” reads each file before it edits it, which is the least that a model does that has not seen them.`,
  'Tokens are the bytes of all requests of the edit (tools, system prompt and messages as JSON, without cache marks), divided by four. A cache knows what one of the twelve requests before it in the same arm begins with too, byte for byte: as much as a provider could serve from its cache while that lasts, which is minutes. The worth counts a cached token as a tenth of a new one. A session that rested for longer than its cache lasts is sent whole: then “sent” is what counts, and it is more than a fresh one sends.',
  'Comparisons are of medians over updates 2 to 10. Queued over HTTP: a server in a process of its own, answered with the row on disk; one update runs meanwhile and waits for its model. Claims: the store alone, on SQLite; ten at a time, and five of five projects, are claimed and put back, from one backlog after the other.',
];

await runBench('projects', 'updates with and without their session, and their queue', measure);
