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
