import type { Instant } from '../base/terms.ts';
import type { ResumeFacts, SessionFacts } from './decide-resume.ts';
import { isHeldOut } from './holdout.ts';
import { modelOf } from './run-agent.ts';
import type { Project, ProjectSession, TreeId, Update, UpdateId } from './terms.ts';
import type { ProjectsDeps } from './work.ts';

/** What speaks for or against the head's session; `tree` is what the next run would find. */
export async function gatherResume(
  project: Project,
  update: Pick<Update, 'userId'> & {
    readonly id: UpdateId | null;
    readonly requested: Update['options']['resume'];
  },
  tree: TreeId | null,
  deps: ProjectsDeps,
): Promise<{ readonly facts: ResumeFacts; readonly session: ProjectSession | null }> {
  const { policy, head } = project;
  const session = head.session && (await deps.store.records.session(project.id, head.session));
  const facts: ResumeFacts = {
    flag: deps.limits.resume && policy.resume === 'on' ? 'on' : 'off',
    requested: update.requested,
    session: session && (await factsOf(session, project, update.userId, tree, deps)),
    isFirst: head.version === null,
    // An experiment never refuses what somebody requires.
    isHoldout:
      update.requested !== 'require' &&
      update.id !== null &&
      isHeldOut(project.id, update.id, policy.holdout_percent),
    limits: {
      maxAgeMs: policy.max_age_hours * 3_600_000,
      maxFailures: policy.max_failures,
      driftPercent: policy.drift_percent,
      maxContextTokens: policy.max_context_tokens,
      strictAgent: policy.strict_agent,
      scope: policy.session_scope,
    },
  };
  return { facts, session };
}

async function factsOf(
  session: ProjectSession,
  project: Project,
  userId: string,
  tree: TreeId | null,
  deps: ProjectsDeps,
): Promise<SessionFacts> {
  const model = modelOf({ project }, deps);
  return {
    state: session.state,
    isBound: session.projectId === project.id,
    isOfUser: session.createdBy === userId,
    ageMs: ageOf(session, deps.clock.now()),
    transcript: await findTranscript(session, deps),
    isSameAgent: session.agentVersion === deps.agentVersion && session.model === model,
    failures: session.failures,
    changedPercent: await changedSince(session, project, tree, deps),
    contextTokens: session.contextTokens,
  };
}

export function ageOf(session: ProjectSession, now: Instant): number {
  return Math.max(0, now - session.lastUsedAt);
}

/** The entry that it goes on from is there, or only others of it are, or none. */
async function findTranscript(
  { sessionId, settledEntry }: ProjectSession,
  { transcripts }: ProjectsDeps,
): Promise<SessionFacts['transcript']> {
  if (settledEntry !== null && (await transcripts.after(sessionId, settledEntry)) !== null) return 'there';
  return (await transcripts.after(sessionId, null)) === null ? 'missing' : 'altered';
}

async function changedSince(
  session: ProjectSession,
  { id }: Project,
  tree: TreeId | null,
  { repository }: ProjectsDeps,
): Promise<number> {
  if (session.tree === null || tree === null || session.tree === tree) return 0;
  const tracked = Math.max(1, await repository.fileCount(id, tree));
  const { files } = await repository.changes(id, session.tree, tree, 1);
  return Math.min(100, (files / tracked) * 100);
}
