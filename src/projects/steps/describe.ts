import { parseDocumentation, parseMetadata } from '../metadata.ts';
import type { UpdateTransaction } from '../project-store.ts';
import { type Change, documentationPrompt, metadataPrompt } from '../prompts.ts';
import type { Version } from '../terms.ts';
import { PROGRESS } from '../terms.ts';
import { degrade, type Work } from '../work.ts';
import { runAside } from './side-run.ts';

const RECOMMEND_MS = 180_000;
const DOCUMENT_MS = 300_000;
const MOST_PATHS = 50;

/** What became of an optional step. */
export type Optional = 'succeeded' | 'failed' | 'preempted';

/** Title, description and recommendations of a version. */
export function recommend(work: Work, version: Version): Promise<Optional> {
  return describe(work, version, {
    kind: 'recommend',
    timeoutMs: RECOMMEND_MS,
    promptFor: metadataPrompt,
    async store(tx, answer) {
      const described = parseMetadata(answer);
      if (described === null) return false;
      await tx.versions.describe(version.no, described);
      const count = described.recommendations.length;
      await tx.events.add('recommendations.ready', PROGRESS.recommend, { version: version.no, count });
      return true;
    },
  });
}

export function document(work: Work, version: Version): Promise<Optional> {
  return describe(work, version, {
    kind: 'document',
    timeoutMs: DOCUMENT_MS,
    promptFor: documentationPrompt,
    async store(tx, answer) {
      const documentation = parseDocumentation(answer);
      if (documentation === null) return false;
      await tx.versions.describe(version.no, { documentation });
      await tx.events.add('documentation.ready', PROGRESS.document, { version: version.no });
      return true;
    },
  });
}

type Describing = {
  readonly kind: 'recommend' | 'document';
  readonly timeoutMs: number;
  promptFor(change: Change | null): string;
  /** False: the answer is not what was asked for. */
  store(tx: UpdateTransaction, answer: string): Promise<boolean>;
};

async function describe(work: Work, version: Version, how: Describing): Promise<Optional> {
  const from = version.editSession;
  const prompt = how.promptFor(from === null ? await changeOf(work, version) : null);
  const aside = await runAside(work, { kind: how.kind, prompt, from, timeoutMs: how.timeoutMs });
  const { giveWay } = work.control;
  if (giveWay.reason === 'lease-lost') return 'preempted';
  const became = await work.transact(async (tx): Promise<Optional> => {
    await aside.end(tx);
    if (aside.answer !== null && (await how.store(tx, aside.answer))) {
      await tx.steps.end(how.kind, 'succeeded', {});
      return 'succeeded';
    }
    await tx.steps.end(how.kind, giveWay.aborted ? 'interrupted' : 'failed', {});
    if (giveWay.aborted) return 'preempted';
    await degrade(tx, FAILED[how.kind], how.kind);
    return 'failed';
  });
  // It was to change no file; what it did to them all the same is undone.
  await work.deps.repository.resetWork(work.claim.project.id, work.head.commit);
  return became;
}

export const FAILED = {
  recommend: 'recommendations_failed',
  document: 'documentation_failed',
  compact: 'compaction_failed',
} as const;

/** For a session that has not made the change. */
async function changeOf({ claim, deps }: Work, version: Version): Promise<Change> {
  const { id } = claim.project;
  const parent = version.parentNo === null ? null : await deps.store.records.version(id, version.parentNo);
  const { paths } = await deps.repository.changes(id, parent?.commit ?? null, version.commit, MOST_PATHS);
  return { request: version.prompt ?? '', paths };
}
