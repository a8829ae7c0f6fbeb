import { newSessionId } from '../../base/ids.ts';
import type { SessionId } from '../../base/terms.ts';
import { decideRunEnd } from '../decide-run-end.ts';
import type { UpdateTransaction } from '../project-store.ts';
import { modelOf, runAgent } from '../run-agent.ts';
import { beginStep, type Work } from '../work.ts';
import { observeRun } from './run-halt.ts';

export type SideStep = {
  readonly kind: 'recommend' | 'document';
  readonly prompt: string;
  /** The session that made the change; null: it is lost, and a fresh one is told what there is to know. */
  readonly from: SessionId | null;
  readonly timeoutMs: number;
};

export type SideRun = {
  /** Null: it gave none. */
  readonly answer: string | null;
  /** To be written together with what became of the answer: the run ends, and its session with it. */
  end(tx: UpdateTransaction): Promise<void>;
};

/** Asks a throw-away fork of the edit's session. Whoever ends the run puts the files back. */
export async function runAside(work: Work, step: SideStep): Promise<SideRun> {
  const { claim, deps, control } = work;
  const { id } = claim.project;
  const sessionId = newSessionId();
  const parent = step.from && (await deps.store.records.session(id, step.from));
  const at = parent?.settledEntry ?? null;
  const run = await runAgent(
    {
      purpose: step.kind,
      transcript:
        parent === null || at === null
          ? { kind: 'new', sessionId }
          : { kind: 'fork', sessionId, from: parent.sessionId, at },
      timeoutMs: step.timeoutMs,
      signal: control.giveWay,
      async intend(tx) {
        await beginStep(work, tx, step.kind, {}, parent?.sessionId ?? null);
        await tx.sessions.begin({
          sessionId,
          parentId: parent?.sessionId ?? null,
          origin: 'side',
          agentVersion: deps.agentVersion,
          model: modelOf(claim, deps),
        });
      },
    },
    step.prompt,
    work,
  );
  const facts = { ...run.facts, resumed: parent !== null, attempt: 1, now: deps.clock.now() };
  const end = decideRunEnd(facts);
  observeRun(run, end, step.kind, work);
  return {
    answer: run.facts.end.kind === 'answered' && end.kind === 'take' ? run.facts.end.text : null,
    async end(tx) {
      await tx.runs.end(run.id, { ...run.row, outcome: end.outcome });
      await tx.sessions.end(sessionId, 'deleted', 'it was a side session');
    },
  };
}
