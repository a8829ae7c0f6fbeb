/** Deletes what is older than it is kept, a little at a time, beside everything else that the server does. */
import type { Cancel, Clock } from '../base/clock.ts';
import { LeaseLost, toError } from '../base/errors.ts';
import type { ConversationKey, Instant, SessionId } from '../base/terms.ts';
import type { Leases } from '../cluster/cluster.ts';
import type { ProjectUpkeep } from '../projects/projects.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { decideCutoffs, decideExpiry, type KeepTimes } from './decide-retention.ts';
import type { AgedSession, Mark, Retention, Sweep } from './sql/retention.ts';

const PERIOD_MS = 5 * 60_000;
/** Pieces of each kind in one run; a backlog, such as after a long stop, takes several. */
const MOST_PIECES = 100;
const MOST_SESSIONS = 200;
/** Of each kind in one piece of projects; every transcript goes in a transaction of its own. */
const MOST_OF_PROJECTS = 100;
/** A restore of one of a project's last versions goes on from what its agent knew, however long ago that was. */
const KEPT_VERSIONS = 20;

export type RetentionDeps = Telemetry & {
  readonly retention: Retention;
  readonly projects: Pick<ProjectUpkeep, 'expire'>;
  readonly leases: Pick<Leases, 'acquire' | 'release'>;
  readonly clock: Clock;
  readonly keep: KeepTimes;
  /** The time to live of a conversation; null: it never expires. */
  ttlOf(conversation: ConversationKey): number | null;
  deleteWorkspace(conversation: ConversationKey): Promise<void>;
};

export type RetentionRuns = {
  /** From now on every few minutes, never two at once. */
  start(): void;
  /** One run; rejects when the database does. What it did until then is done. */
  run(): Promise<void>;
  /** Resolves when the piece at hand is done; nothing comes after it. */
  stop(): Promise<void>;
};

type Kind =
  | 'message'
  | 'reply'
  | 'turn'
  | 'ledger_entry'
  | 'room_message'
  | 'session'
  | 'project_session'
  | 'update_event';

export function makeRetentionRuns(deps: RetentionDeps): RetentionRuns {
  const { retention, leases, clock, log, metrics } = deps;
  /** Where rows stay, the next run goes on behind them. Lost at a restart: then a pass begins anew. */
  const marks: {
    replies: Mark<number> | null;
    ledger: Mark<number> | null;
    idle: Mark<SessionId> | null;
    ended: Mark<SessionId> | null;
  } = { replies: null, ledger: null, idle: null, ended: null };
  let running: Promise<void> | null = null;
  let stopped = false;
  let cancel: Cancel = () => {};

  async function runOnce(): Promise<void> {
    const before = decideCutoffs(clock.now(), deps.keep);
    await deleteAll('message', () => retention.messages(before.messages));
    await deleteAll('turn', () => retention.turns(before.others));
    await deleteAll('room_message', () => retention.roomMessages(before.others));
    marks.replies = await sweepAll('reply', marks.replies, (from) => retention.replies(before.others, from));
    await expireIdle(before.others);
    await deleteEnded(before.others);
    await expireProjects(before.others);
    marks.ledger = await sweepAll('ledger_entry', marks.ledger, (from) =>
      retention.ledger(before.ledger, from),
    );
  }

  async function deleteAll(kind: Kind, deletePiece: () => Promise<number>): Promise<void> {
    for (let pieces = 0; pieces < MOST_PIECES && !stopped; pieces += 1) {
      const deleted = await deletePiece();
      if (deleted === 0) return;
      count(kind, deleted);
    }
  }

  async function sweepAll(
    kind: Kind,
    from: Mark<number> | null,
    sweep: (from: Mark<number> | null) => Promise<Sweep>,
  ): Promise<Mark<number> | null> {
    let mark = from;
    for (let pieces = 0; pieces < MOST_PIECES && !stopped; pieces += 1) {
      const { deleted, next } = await sweep(mark);
      count(kind, deleted);
      mark = next;
      if (mark === null) break;
    }
    return mark;
  }

  /** A conversation that nobody came back to is still current; it expired when its time to live was over. */
  async function expireIdle(before: Instant): Promise<void> {
    const idle = await retention.idleSessions(before, marks.idle, MOST_SESSIONS);
    marks.idle = idle.length < MOST_SESSIONS ? null : (idle.at(-1) ?? null);
    for (const session of idle) {
      const at = decideExpiry(session.at, deps.ttlOf(session.conversation), before);
      if (at === null || stopped) continue;
      await underLease(session, (lease) => retention.expire(lease, session, at));
    }
  }

  async function deleteEnded(before: Instant): Promise<void> {
    const ended = await retention.endedSessions(before, marks.ended, MOST_SESSIONS);
    marks.ended = ended.length < MOST_SESSIONS ? null : (ended.at(-1) ?? null);
    for (const session of ended) {
      if (stopped) return;
      await underLease(session, async (lease) => {
        if (!(await deleteWhatItHeld(session, before))) return;
        await retention.session(lease, session.id);
        count('session', 1);
      });
    }
  }

  async function expireProjects(before: Instant): Promise<void> {
    const limits = { keepVersions: KEPT_VERSIONS, limit: MOST_OF_PROJECTS };
    for (let pieces = 0; pieces < MOST_PIECES && !stopped; pieces += 1) {
      const gone = await deps.projects.expire({ ...limits, unusedSince: before, endedBefore: before });
      count('project_session', gone.sessions);
      count('update_event', gone.events);
      if (gone.sessions < MOST_OF_PROJECTS && gone.events < MOST_OF_PROJECTS) return;
    }
  }

  /** The record goes last: whatever happens before that, a later run finds it and repeats the rest. */
  async function deleteWhatItHeld({ id, conversation }: AgedSession, before: Instant): Promise<boolean> {
    if (await retention.isOver(conversation, before)) {
      const failure = await deps.deleteWorkspace(conversation).then(() => null, toError);
      if (failure !== null) {
        log.error({ conversation, error: failure.message }, 'cannot delete a working directory');
        return false;
      }
    }
    while (!stopped) if ((await retention.transcript(id)) === 0) return true;
    return false;
  }

  /** No turn of the conversation runs meanwhile. One that is held is left for a later run. */
  async function underLease(
    { conversation }: AgedSession,
    work: (lease: NonNullable<Awaited<ReturnType<Leases['acquire']>>>) => Promise<void>,
  ): Promise<void> {
    const lease = await leases.acquire(conversation);
    if (lease === null) return;
    try {
      await work(lease);
    } catch (error) {
      // A forget took it: that deletes more than we would have.
      if (!(error instanceof LeaseLost)) throw error;
    } finally {
      // What came meanwhile is found by the queue's poll.
      await leases.release(lease);
    }
  }

  function count(kind: Kind, deleted: number): void {
    metrics.retentionDeleted.inc({ kind }, deleted);
  }

  function run(): Promise<void> {
    running ??= runOnce().finally(() => {
      running = null;
    });
    return running;
  }

  return {
    run,
    start() {
      cancel = clock.every(PERIOD_MS, () => {
        run().catch((error: unknown) =>
          log.warn({ error: toError(error).message }, 'retention did not finish; the next run goes on'),
        );
      });
    },
    async stop() {
      stopped = true;
      cancel();
      // Whoever began the run hears how it ended.
      await running?.catch(() => {});
    },
  };
}
