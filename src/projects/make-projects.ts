import { randomUUID } from 'node:crypto';
import { makeBus } from '../base/bus.ts';
import { within } from '../base/clock.ts';
import { toError } from '../base/errors.ts';
import { decideResume } from './decide-resume.ts';
import { ageOf, gatherResume } from './gather-resume.ts';
import type { Projects, ResumeForecast } from './projects.ts';
import { reportResumes } from './resume-report.ts';
import type { CommitId, Project, ProjectId, UpdateId, VersionNo } from './terms.ts';
import { makeUpdateWorker } from './update-worker.ts';
import type { ProjectsDeps } from './work.ts';

const MOST_DIFF_BYTES = 1_000_000;
const MOST_SAMPLES = 10_000;
/** How long `create` waits for version 1 to stand; it comes in any case. */
const IMPORT_WAIT_MS = 30_000;
const DELETE_AGAIN_MS = 1_000;
const MOST_LISTED = 500;

/** Project updates over the store, git and the agents. */
export function makeProjects(deps: ProjectsDeps): Projects {
  const { store, repository, clock, telemetry } = deps;
  const events = makeBus<UpdateId>((error) =>
    telemetry.log.error({ error }, 'a listener of project events failed'),
  );
  const worker = makeUpdateWorker(deps, ({ update }) => events.publish(update.id));
  const ending = new AbortController();
  let removing: Promise<void> = Promise.resolve();

  const enqueue: Projects['enqueue'] = async (update) => {
    const outcome = await store.queue.enqueue(update);
    if (outcome.kind === 'queued') {
      events.publish(outcome.update.id);
      worker.wake();
    }
    return outcome;
  };

  function onEvents(id: UpdateId, listener: () => void): () => void {
    return events.subscribe((update) => {
      if (update === id) listener();
    });
  }

  /** The files first, then the row, then version 1 as an update like any other: nothing is lost in between. */
  async function create({ name, ownerId, policy, importFrom }: Parameters<Projects['create']>[0]) {
    const id = randomUUID() as string as ProjectId;
    await repository.init(id);
    try {
      if (importFrom !== null) {
        const imported = await repository.importFrom(id, importFrom, clock.now());
        await repository.resetWork(id, imported);
      }
      const project = await store.records.create({ id, name, ownerId, policy });
      if (importFrom === null) return project;
    } catch (error) {
      await repository.delete(id);
      throw error;
    }
    await importFirst(id, ownerId);
    return (await store.records.get(id)) ?? notThere(id);
  }

  async function importFirst(projectId: ProjectId, userId: string): Promise<void> {
    const options = {
      resume: 'never',
      expectedVersion: null,
      restoreVersion: null,
      recommendations: false,
      documentation: false,
      compact: 'never',
    } as const;
    const update = { projectId, userId, kind: 'import', prompt: null, options } as const;
    const outcome = await enqueue({ ...update, idempotencyKey: 'import', digest: 'import' });
    if (outcome.kind !== 'queued' && outcome.kind !== 'known') return;
    const { id } = outcome.update;
    let stop = (): void => {};
    const ended = new Promise<void>((resolve) => {
      stop = onEvents(id, () => {
        void store.queue.get(id).then((now) => {
          if (now?.finishedAt !== null) resolve();
        });
      });
    });
    await within(clock, IMPORT_WAIT_MS, ended);
    stop();
  }

  async function commitOf(project: ProjectId, no: VersionNo): Promise<CommitId | null> {
    return (await store.records.version(project, no))?.commit ?? null;
  }

  async function isHeld(project: ProjectId): Promise<boolean> {
    const holding = (['running', 'committed'] as const).map((status) =>
      store.queue.list(project, { status, before: null, limit: 1 }),
    );
    return (await Promise.all(holding)).flat().length > 0;
  }

  async function remove(project: ProjectId): Promise<void> {
    while (!ending.signal.aborted) {
      await worker.idle(project);
      if (!(await isHeld(project))) {
        // Files go first: of files without a row nobody would know, and nothing begins in a project that is deleted.
        await repository.delete(project);
        if (await store.records.purge(project)) return;
      }
      await clock.sleep(DELETE_AGAIN_MS, ending.signal);
    }
  }

  /** A server that ended while it deleted a project is not asked again: the next one goes on by itself. */
  async function removeLeft(): Promise<void> {
    let after: ProjectId | null = null;
    do {
      const listed: readonly Project[] = await store.records.list(after, MOST_LISTED);
      for (const { id, state } of listed) if (state === 'deleting') await remove(id);
      after = listed.at(-1)?.id ?? null;
    } while (after !== null && !ending.signal.aborted);
  }

  return {
    records: store.records,
    updates: store.queue,
    create,
    enqueue,
    onEvents,

    async cancel(id) {
      const outcome = await store.queue.requestCancel(id);
      if (outcome === 'asked') worker.cancel(id);
      events.publish(id);
      return outcome;
    },

    nextDecision: (project) => forecast(project, deps),

    async diff(project, from, to) {
      const newer = await commitOf(project, to);
      const older = from === 0 ? null : await commitOf(project, from);
      if (newer === null || (from !== 0 && older === null)) return null;
      return repository.diff(project, older, newer, MOST_DIFF_BYTES);
    },

    archive: ({ projectId, commit }) => repository.archive(projectId, commit),

    async report(project, from, to) {
      return reportResumes(await store.upkeep.resumeSamples(project, from, to, MOST_SAMPLES));
    },

    async delete(project) {
      await store.records.change(project, { state: 'deleting' }, 'user');
      await remove(project);
    },

    start() {
      worker.start();
      removing = removeLeft().catch((error: unknown) =>
        telemetry.log.error({ error: toError(error).message }, 'a project could not be deleted'),
      );
    },

    async drain(drainMs) {
      ending.abort();
      await Promise.all([worker.drain(drainMs), removing]);
    },
  };
}

function notThere(id: ProjectId): never {
  throw new Error(`project ${id} was deleted while it was made`);
}

async function forecast(project: Project, deps: ProjectsDeps): Promise<ResumeForecast> {
  const asked = { id: null, userId: project.ownerId, requested: 'auto' } as const;
  const { commit } = project.head;
  const tree = commit === null ? null : await deps.repository.treeOf(project.id, commit);
  const { facts, session } = await gatherResume(project, asked, tree, deps);
  const { decision, reason } = decideResume(facts);
  return {
    decision: decision === 'resume' ? 'resume' : 'fresh',
    reason,
    ageMs: session && ageOf(session, deps.clock.now()),
    contextTokens: session?.contextTokens ?? null,
    failures: session?.failures ?? 0,
  };
}
