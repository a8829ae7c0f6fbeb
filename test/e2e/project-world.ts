/** Projects in the whole server: the real Claude process, the offline model, real rows and a real git. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AppDeps } from '../../src/app/ground.ts';
import { systemClock } from '../../src/base/clock.ts';
import type { SessionId } from '../../src/base/terms.ts';
import {
  type EnqueueOutcome,
  type NewUpdate,
  type Policy,
  type Project,
  type ProjectId,
  policySchema,
  type Update,
  type UpdateEvent,
  type UpdateId,
  type UpdateOptions,
} from '../../src/projects/projects.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { startApp, type TestApp } from './app.ts';
import { waitFor } from './server.ts';

export const USER = 'user-1';

export type ProjectWorld = Awaited<ReturnType<typeof makeProjectWorld>>;

/** A server on its own data folder; give a second one the first one's to restart. */
export async function makeProjectWorld(
  options: Partial<Omit<AppDeps, 'log'>> & {
    readonly dataDir?: string;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
) {
  const { dataDir = makeTempFolder(), env, ...deps } = options;
  const app = await startApp({ clock: systemClock, ...deps, env: { DATA_DIR: dataDir, ...env } });
  const { projects, store } = app.parts;
  const folder = (id: ProjectId) => join(dataDir, 'projects', id);

  async function newProject(policy: Partial<Policy> = {}, importFrom: string | null = null) {
    const whole = policySchema.parse(policy);
    return projects.create({ name: 'A project', ownerId: USER, policy: whole, importFrom });
  }

  async function enqueue(project: ProjectId, change: Partial<Omit<NewUpdate, 'options'>> & Options) {
    const { options: given, ...rest } = change;
    const key = randomUUID();
    const update = { projectId: project, userId: USER, kind: 'update', prompt: null, ...rest } as const;
    return projects.enqueue({
      ...{ idempotencyKey: key, digest: key, ...update },
      options: { ...USUAL, ...given },
    });
  }

  /** Once it has ended. */
  async function ended(id: UpdateId): Promise<Update> {
    return waitFor(
      async () => {
        const update = await projects.updates.get(id);
        return update !== null && update.finishedAt !== null ? update : null;
      },
      { withinMs: 60_000, otherwise: () => `update ${id} has not ended` },
    );
  }

  async function run(project: ProjectId, change: Parameters<typeof enqueue>[1]): Promise<Update> {
    return ended(queued(await enqueue(project, change)).id);
  }

  return {
    app,
    dataDir,
    projects,
    store,
    newProject,
    enqueue,
    ended,
    run,
    /** An update by a person's words. */
    update: (project: ProjectId, prompt: string, options: Partial<UpdateOptions> = {}) =>
      run(project, { prompt, options }),
    head: async (id: ProjectId) => (await current(app, id)).head,
    session: async (id: ProjectId, sessionId: SessionId | null | undefined) => {
      const session = sessionId ? await projects.records.session(id, sessionId) : null;
      if (session === null) throw new Error('there is no such session');
      return session;
    },
    version: async (id: ProjectId, no: number) => {
      const version = await projects.records.version(id, no);
      if (version === null) throw new Error(`there is no version ${no}`);
      return version;
    },
    events: (id: UpdateId): Promise<readonly UpdateEvent[]> => projects.updates.events(id, 0, 1_000),
    read: (id: ProjectId, path: string) => readFileSync(join(folder(id), 'work', path), 'utf8'),
    files: (id: ProjectId) => readdirSync(join(folder(id), 'work')).sort(),
    workdir: (id: ProjectId) => join(folder(id), 'work'),
    git: (id: ProjectId, ...args: readonly string[]) =>
      execFileSync('git', ['--git-dir', join(folder(id), 'repo.git'), ...args], {
        encoding: 'utf8',
        env: { PATH: process.env.PATH, GIT_CONFIG_NOSYSTEM: '1', HOME: '/nonexistent' },
      }).trim(),
  };
}

type Options = { readonly options?: Partial<UpdateOptions> };

const USUAL: UpdateOptions = {
  resume: 'auto',
  expectedVersion: null,
  restoreVersion: null,
  recommendations: null,
  documentation: null,
  compact: 'auto',
};

async function current(app: TestApp, id: ProjectId): Promise<Project> {
  const project = await app.parts.projects.records.get(id);
  if (project === null) throw new Error('the project is gone');
  return project;
}

export function queued(outcome: EnqueueOutcome): Update {
  if (outcome.kind !== 'queued' && outcome.kind !== 'known') throw new Error(`not queued: ${outcome.kind}`);
  return outcome.update;
}

/** What the offline model does as it is told. */
export function write(path: string, content: string): string {
  return `use tool Write with ${JSON.stringify({ file_path: path, content })}`;
}

/** A git repository of a folder, as something to import. */
export function makeSource(folder: string): string {
  const source = makeTempFolder();
  cpSync(folder, source, { recursive: true });
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
      cwd: source,
      stdio: 'ignore',
    });
  git('init', '--quiet');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'Start');
  return source;
}
