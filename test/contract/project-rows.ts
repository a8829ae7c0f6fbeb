import { createHash, randomUUID } from 'node:crypto';
import { newEntryId, newSessionId } from '../../src/base/ids.ts';
import type { SessionId } from '../../src/base/terms.ts';
import {
  type Claim,
  type CommitId,
  DEFAULT_POLICY,
  type NewUpdate,
  type Project,
  type ProjectId,
  type TreeId,
  type Update,
  type UpdateOptions,
  type UpdateTransaction,
  type VersionNo,
} from '../../src/projects/projects.ts';
import type { Store } from '../../src/store/store.ts';
import { USAGE } from './rows.ts';

export const projectId = (name: string) => name as ProjectId;
export const commitId = (name: string) => name as CommitId;
export const treeId = (name: string) => name as TreeId;

export function makeProject(store: Store, id = 'shop'): Promise<Project> {
  const project = { id: projectId(id), name: `The ${id}`, ownerId: 'owner', policy: DEFAULT_POLICY };
  return store.projects.records.create(project);
}

export type UpdateFacts = Partial<Omit<NewUpdate, 'projectId' | 'options'>> & {
  readonly project?: string;
  readonly options?: Partial<UpdateOptions>;
};

export function newUpdate({ project = 'shop', options, ...facts }: UpdateFacts = {}): NewUpdate {
  return {
    projectId: projectId(project),
    userId: 'jane',
    kind: 'update',
    prompt: 'make it blue',
    idempotencyKey: randomUUID(),
    digest: createHash('sha256')
      .update(facts.prompt ?? '')
      .digest('hex'),
    ...facts,
    options: {
      resume: 'auto',
      expectedVersion: null,
      restoreVersion: null,
      recommendations: null,
      documentation: null,
      compact: 'auto',
      ...options,
    },
  };
}

/** Queues an update that must be taken. */
export async function enqueue(store: Store, facts: UpdateFacts = {}): Promise<Update> {
  const outcome = await store.projects.queue.enqueue(newUpdate(facts));
  if (outcome.kind !== 'queued') throw new Error(`it was not queued: ${outcome.kind}`);
  return outcome.update;
}

export async function claim(store: Store): Promise<Claim> {
  const claimed = await store.projects.queue.claim();
  if (claimed === null) throw new Error('there is nothing to claim');
  return claimed;
}

/** Writes within a claim. */
export function write<Result>(
  store: Store,
  claimed: Claim,
  work: (tx: UpdateTransaction) => Promise<Result>,
): Promise<Result> {
  return store.projects.queue.transaction(claimed, work);
}

/** A session that is confirmed. */
export async function beginSession(
  tx: UpdateTransaction,
  parentId: SessionId | null = null,
): Promise<SessionId> {
  const sessionId = newSessionId();
  await tx.sessions.begin({ sessionId, parentId, origin: 'edit', agentVersion: '1', model: null });
  const seen = { settledEntry: newEntryId(), tree: treeId('t'), contextTokens: 10 };
  await tx.sessions.confirm(sessionId, seen);
  return sessionId;
}

export function versionOf(
  parentNo: VersionNo | null,
  session: SessionId | null,
  restoredNo: VersionNo | null = null,
) {
  return {
    parentNo,
    restoredNo,
    commit: commitId(`c${(parentNo ?? 0) + 1}`),
    tree: treeId('t'),
    editSession: session,
    finalSession: session,
    changes: { files: 1, added: 2, removed: 3 },
  };
}

/** The next version, made by a session of its own; the head moves to it. */
export async function addVersion(
  tx: UpdateTransaction,
  { project }: Claim,
  restored: VersionNo | null = null,
) {
  const { head } = project;
  const session = await beginSession(tx, head.session);
  const version = await tx.versions.add(versionOf(head.version, session, restored));
  await tx.head.move(head.revision, { version, session, commit: commitId(`c${version}`) });
  return { version, session };
}

export const completed = { status: 'completed', error: null, payload: {} } as const;

/** Claims the next update, makes a version of it, ends it and lets go. */
export async function completeOne(store: Store, restored: VersionNo | null = null) {
  const claimed = await claim(store);
  const made = await write(store, claimed, async (tx) => {
    const added = await addVersion(tx, claimed, restored);
    await tx.update.end(completed);
    return added;
  });
  await store.projects.queue.release(claimed);
  return { ...made, update: claimed.update };
}

export const RUN_END = {
  reportedSessionId: null,
  outcome: 'ok',
  detail: null,
  usage: { ...USAGE, runsWithoutCost: 0 },
  steps: 3,
  firstTextAt: null,
  firstEditAt: null,
} as const;

/** Each statement of the store of projects at least once. */
export async function useProjects(store: Store): Promise<void> {
  const { records, queue, upkeep } = store.projects;
  const project = await makeProject(store);
  const token = await records.addToken({ projectId: project.id, userId: 'jane', label: 'l', hash: 'h' });
  await records.findToken('h');
  await records.mayWrite(project.id, 'jane');
  await records.revokeToken(project.id, token.id);
  await records.tokens(project.id);
  await records.change(project.id, { policy: { ...project.policy, resume: 'off' } }, 'user');

  const update = newUpdate();
  await queue.enqueue(update);
  await queue.enqueue(update);
  const first = await claim(store);
  await write(store, first, (tx) => useTransaction(tx, first));
  await queue.renew(first);
  await queue.signals(first);
  await queue.release(first);
  const second = await enqueue(store, { options: { expectedVersion: 1 } });
  const claimed = await claim(store);
  const later = { notBefore: 0, reason: 'back-off', givesBackAttempt: true } as const;
  await write(store, claimed, (tx) => tx.update.requeue(later));
  await queue.release(claimed);
  await queue.requestCancel(second.id);
  await queue.requestCancel(second.id);
  await queue.claim();

  await queue.get(second.id);
  for (const status of ['completed', null] as const)
    for (const before of [second.id, null]) await queue.list(project.id, { status, before, limit: 10 });
  await queue.events(first.update.id, 0, 10);
  await queue.runs(first.update.id);
  await queue.counts();
  await records.list(null, 10);
  await records.list(project.id, 10);
  const { head } = (await records.get(project.id)) ?? project;
  await records.version(project.id, 1);
  await records.versions(project.id, null, 10);
  await records.versions(project.id, 9, 10);
  if (head.session !== null) await records.session(project.id, head.session);
  await records.audit(project.id, 0, 10);
  for (const of of [project.id, null]) await upkeep.resumeSamples(of, 0, 1e15, 10);
  await records.resetSession(project.id, 'jane');
  await upkeep.expire({ keepVersions: 0, unusedSince: 1e15, endedBefore: 1e15, limit: 10 });
  await makeProject(store, 'gone');
  await records.change(projectId('gone'), { state: 'deleting' }, 'user');
  await records.purge(projectId('gone'));
}

async function useTransaction(tx: UpdateTransaction, claimed: Claim): Promise<void> {
  await tx.update.set({ degraded: 'fell_back' });
  await tx.steps.begin('edit', null, {});
  const { session, version } = await addVersion(tx, claimed);
  await tx.steps.end('edit', 'succeeded', { outputSession: session, checkpoint: { at: 1 } });
  await tx.steps.interrupt();
  const run = await tx.runs.begin({ purpose: 'edit', mode: 'fresh', sessionId: session });
  await tx.runs.end(run, RUN_END);
  await tx.sessions.failed(session);
  const side = await beginSession(tx, session);
  await tx.sessions.end(side, 'deleted', 'described');
  await tx.versions.describe(version, { state: 'ready', title: 'Blue' });
  await tx.events.add('agent.message', 0.5, {});
  await tx.audit.add({ event: 'decision', sessionId: session, reason: 'ok' });
  await tx.update.end(completed);
}
