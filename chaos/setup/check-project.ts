/** What must hold of a project whenever nothing of it runs, whatever its servers went through. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { familiesOf } from './families-memory.ts';
import type { ToldEvent } from './project-calls.ts';
import type { Database } from './read-database.ts';

const PROCESSES_GONE_WITHIN_MS = 5_000;
const LOOK_MS = 50;
const TERMINAL = /^update\.(completed|failed|cancelled)$/;

export type ProjectAt = {
  readonly id: string;
  readonly dataDir: string;
  readonly database: Database;
};

export type UpdateRow = {
  readonly id: number;
  readonly status: string;
  readonly attempt: number;
  readonly degraded: string;
  readonly error_code: string | null;
  readonly result_version: number | null;
  readonly finished_at: number | null;
};

type HeadRow = {
  readonly version: number | null;
  readonly session_id: string | null;
  readonly commit_id: string | null;
};

/** In words what is wrong with the project; none: all is as it must be. */
export async function checkProject(project: ProjectAt): Promise<readonly string[]> {
  const rows = await checkRows(project);
  return [...rows, ...(await checkGit(project)), ...(await findLeft(project))];
}

/** Of one update that has ended; `told`: its events as a client read them. */
export async function checkUpdate(
  { database }: Pick<ProjectAt, 'database'>,
  update: number,
  told: readonly ToldEvent[],
): Promise<readonly string[]> {
  const rows = await database.read<{ seq: number; type: string; progress: number }>(
    `select seq, type, progress from update_events where update_id = ${update} order by seq`,
  );
  const versions = await database.read(`select no from project_versions where update_id = ${update}`);
  const created = told.filter(({ type }) => type === 'version.created').length;
  const terminal = told.filter(({ type }) => TERMINAL.test(type));
  const stored = rows.map(({ seq, type }) => `${seq} ${type}`);
  const heard = told.map(({ id, type }) => `${id} ${type}`);
  return [
    ...(versions.length > 1 ? [`it has ${versions.length} versions`] : []),
    ...(created === versions.length ? [] : [`version.created was told ${created} times`]),
    ...(terminal.length === 1 && told.at(-1) === terminal[0] ? [] : [`its ends were told as ${heard}`]),
    ...(`${stored}` === `${heard}` ? [] : [`its stream told ${heard}, and stored is ${stored}`]),
    ...(rows.every(({ seq }, index) => seq === index + 1) ? [] : [`its events are numbered ${stored}`]),
    ...(rows.every(({ progress }, index) => progress >= (rows[index - 1]?.progress ?? 0))
      ? []
      : ['its progress goes back']),
  ];
}

async function checkRows({ id, database }: ProjectAt): Promise<readonly string[]> {
  const count = async (what: string, sql: string) => {
    const found = await database.read(sql);
    return found.length === 0 ? [] : [`${found.length} ${what}: ${JSON.stringify(found).slice(0, 300)}`];
  };
  const of = `project_id = '${id}'`;
  const versions = await database.read<{ no: number }>(
    `select no from project_versions where ${of} order by no`,
  );
  return [
    ...(versions.every(({ no }, index) => no === index + 1) ? [] : ['the versions have gaps']),
    ...(await count('open runs', `select id from update_runs where ${of} and finished_at is null`)),
    ...(await count(
      'runs without an outcome',
      `select id from update_runs where ${of} and outcome = 'running'`,
    )),
    ...(await count(
      'open steps',
      `select update_id, kind from update_steps where ${of} and state = 'running'`,
    )),
    ...(await count(
      'provisional sessions',
      `select session_id, origin from project_sessions where ${of} and state = 'provisional'`,
    )),
    ...(await count(
      'active sessions that are not the head’s',
      `select s.session_id, s.origin from project_sessions s join project_heads h on h.project_id = s.project_id
       where s.${of} and s.state = 'active' and (h.session_id is null or h.session_id <> s.session_id)`,
    )),
    ...(await count(
      'transcripts of deleted sessions',
      `select distinct t.session_id from transcript_entries t join project_sessions s on s.session_id = t.session_id
       where s.${of} and s.state = 'deleted'`,
    )),
    ...(await checkHeadSession({ id, database })),
  ];
}

async function readHead({ id, database }: Pick<ProjectAt, 'id' | 'database'>): Promise<HeadRow> {
  const [head] = await database.read<HeadRow>(
    `select version, session_id, commit_id from project_heads where project_id = '${id}'`,
  );
  if (head === undefined) throw new Error('the project has no head');
  return head;
}

/** Null, or confirmed: its last entry stands in the store. */
async function checkHeadSession(project: Pick<ProjectAt, 'id' | 'database'>): Promise<readonly string[]> {
  const { session_id: session } = await readHead(project);
  if (session === null) return [];
  const found = await project.database.read(
    `select 1 from project_sessions s join transcript_entries t on t.session_id = s.session_id and t.uuid = s.settled_entry
     where s.session_id = '${session}' and s.state in ('active', 'superseded')`,
  );
  return found.length > 0 ? [] : ['the session of the head is not confirmed'];
}

async function checkGit(project: ProjectAt): Promise<readonly string[]> {
  const { id, dataDir, database } = project;
  const git = makeGitReader(join(dataDir, 'projects', id));
  const head = await readHead(project);
  const versions = await database.read<{ no: number; update_id: number; commit_id: string }>(
    `select no, update_id, commit_id from project_versions where project_id = '${id}' order by no`,
  );
  const branch = git('for-each-ref', '--format=%(objectname)', 'refs/heads/main');
  const chain = lines(git('log', '--reverse', '--format=%H', 'main'));
  const marked = lines(git('for-each-ref', '--format=%(refname:lstrip=2) %(objectname)', 'refs/versions'));
  const status = git('--work-tree', join(dataDir, 'projects', id, 'work'), 'status', '--porcelain');
  const of = new Map(versions.map((version) => [`${version.no} ${version.commit_id}`, version]));
  return [
    ...(branch === (head.commit_id ?? '') ? [] : [`the branch is ${branch}, and the head ${head.commit_id}`]),
    ...(`${chain}` === `${versions.map((version) => version.commit_id)}`
      ? []
      : [`the branch has ${chain.length} commits for ${versions.length} versions`]),
    ...(marked.length === versions.length && marked.every((mark) => of.has(mark))
      ? []
      : [`git has marked ${marked.length} of ${versions.length} versions`]),
    ...(status === '' ? [] : [`the working directory differs from the head: ${status}`]),
    ...(head.version === (versions.at(-1)?.no ?? null) ? [] : [`the head is version ${head.version}`]),
    ...countCommits(git).map(([update, commits]) => `update ${update} made ${commits} commits`),
  ];
}

/** Updates that made more than one commit, those included that nothing points at. */
function countCommits(git: (...args: readonly string[]) => string): readonly (readonly [string, number])[] {
  const objects = lines(
    git('cat-file', '--batch-all-objects', '--batch-check=%(objecttype) %(objectname)'),
  ).flatMap((line) => (line.startsWith('commit ') ? [line.slice(7)] : []));
  if (objects.length === 0) return [];
  const updates = lines(
    git('show', '--no-patch', '--format=%(trailers:key=Update-Id,valueonly,separator=%x2C)', ...objects),
  );
  const counts = new Map<string, number>();
  for (const update of updates) counts.set(update, (counts.get(update) ?? 0) + 1);
  return [...counts].filter(([, commits]) => commits > 1);
}

export function makeGitReader(folder: string): (...args: readonly string[]) => string {
  return (...args) =>
    execFileSync('git', ['--no-optional-locks', '--git-dir', join(folder, 'repo.git'), ...args], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, GIT_CONFIG_NOSYSTEM: '1', HOME: '/nonexistent' },
    }).trim();
}

function lines(text: string): readonly string[] {
  return text === '' ? [] : text.split('\n');
}

/** Agents, commands and gits of the data folder: where nothing runs there are none, a moment later. */
async function findLeft({ database }: ProjectAt): Promise<readonly string[]> {
  const [owner] = await database.read<{ value: string }>("select value from meta where key = 'owner'");
  const until = performance.now() + PROCESSES_GONE_WITHIN_MS;
  for (;;) {
    const left = await familiesOf(owner?.value ?? 'none');
    if (left.length === 0) return [];
    if (performance.now() > until) return [`${left.length} processes are left`];
    await systemClock.sleep(LOOK_MS);
  }
}
