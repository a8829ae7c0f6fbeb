/** The ports of projects with one call that the process does not survive. */
import { systemClock } from '../../src/base/clock.ts';
import type { Repository, UpdateId, UpdateTransaction } from '../../src/projects/projects.ts';
import type { Store } from '../../src/store/store.ts';
import type { ProjectCrashPoint } from './project-crash-points.ts';

const SOON_MS = 250;

/** The update that is hit: one that an earlier server was to do, or the one that is queued with the key. */
export type Doomed = { readonly update: UpdateId } | { readonly key: string };

export function crashingProjects(point: ProjectCrashPoint, target: Doomed) {
  let doomed = 'update' in target ? target.update : null;
  let armed = false;
  let calls = 0;

  function isTheOne(call: string): boolean {
    if (call !== point.call) return false;
    calls += 1;
    return calls === point.nth;
  }

  async function around<Result>(
    call: string,
    isArmed: boolean,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const isHere = isArmed && isTheOne(call);
    if (isHere && point.when === 'before') await die();
    const result = await work();
    if (isHere) await dieAfter();
    return result;
  }

  async function dieAfter(): Promise<void> {
    if (point.when === 'after') await die();
    if (point.when === 'soon-after') void systemClock.sleep(SOON_MS).then(die);
  }

  function wrapRepository(repository: Repository): Repository {
    const call =
      <Given extends readonly unknown[], Result>(name: string, work: (...given: Given) => Promise<Result>) =>
      (...given: Given) =>
        around(`git.${name}`, armed, () => work(...given));
    return {
      ...repository,
      readWork: call('readWork', repository.readWork),
      resetWork: call('resetWork', repository.resetWork),
      commit: call('commit', repository.commit),
      publish: call('publish', repository.publish),
    };
  }

  function wrapStore(store: Store): Store {
    const { queue } = store.projects;
    const watched = {
      ...queue,
      async enqueue(wanted) {
        const isDoomed = 'key' in target && wanted.idempotencyKey === target.key;
        const outcome = await around('queue.enqueue', isDoomed, () => queue.enqueue(wanted));
        if (isDoomed && outcome.kind === 'queued') doomed = outcome.update.id;
        return outcome;
      },
      async claim() {
        if (doomed !== null && point.when === 'before' && point.call === 'queue.claim') await die();
        const claim = await queue.claim();
        if (claim !== null) armed = claim.update.id === doomed;
        if (claim !== null && armed && isTheOne('queue.claim')) await dieAfter();
        return claim;
      },
      release: (claim) => around('queue.release', armed, () => queue.release(claim)),
      async transaction(claim, work) {
        const written = new Set<string>();
        const result = await queue.transaction(claim, async (tx) => {
          written.clear();
          const done = await work(told(tx, (write) => written.add(write)));
          if (armed && point.when === 'within' && written.has(point.call) && isTheOne(point.call))
            await die();
          return done;
        });
        if (armed && point.when !== 'within' && written.has(point.call) && isTheOne(point.call))
          await dieAfter();
        return result;
      },
    } satisfies typeof queue;
    return {
      ...store,
      projects: { ...store.projects, queue: watched },
      agents: {
        ...store.agents,
        started: (agent) => around('agents.started', armed, () => store.agents.started(agent)),
      },
    };
  }

  return { wrapStore, wrapRepository };
}

/** A transaction that tells what is written: the group, the method and, where the first argument is a text, that. */
function told(tx: UpdateTransaction, onWrite: (write: string) => void): UpdateTransaction {
  const group = <Group extends object>(name: string, methods: Group): Group =>
    new Proxy(methods, {
      get(target, key) {
        const method: unknown = Reflect.get(target, key);
        if (typeof method !== 'function') return method;
        return (...given: readonly unknown[]) => {
          onWrite(`${name}.${String(key)}`);
          if (typeof given[0] === 'string') onWrite(`${name}.${String(key)} ${given[0]}`);
          return method.apply(target, given);
        };
      },
    });
  return {
    update: group('update', tx.update),
    steps: group('steps', tx.steps),
    runs: group('runs', tx.runs),
    sessions: group('sessions', tx.sessions),
    versions: group('versions', tx.versions),
    head: group('head', tx.head),
    events: group('events', tx.events),
    audit: group('audit', tx.audit),
    project: group('project', tx.project),
  };
}

/** As the machine would end it: no handler runs, nothing is flushed. The signal may take a moment; nothing goes on. */
async function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return systemClock.sleep(60_000).then(die);
}
