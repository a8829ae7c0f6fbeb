import type { SessionStore } from '@anthropic-ai/claude-agent-sdk';
import { backoffMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { LeaseLost, toError } from '../../base/errors.ts';
import type { EntryId, SessionId } from '../../base/terms.ts';
import type { TranscriptEntry, TranscriptOwner, TranscriptStore } from '../agent.ts';
import { writeLocalCopy } from './local-copy.ts';

/**
 * Our side of the SDK's `SessionStore` for one process:
 *
 *   arrived ──a turn runs──▶ written, in order ──fails──▶ tried again, a few times ──▶ lost
 *      └─ between turns: waits for the next one; dropped with the process
 *
 * Entries of a running turn go to the transcript store under the turn's fence. Between turns nobody holds the
 * conversation, and a spare has none; what the process writes then is bookkeeping, and a resume goes back to the
 * settled entry anyway.
 *
 * The SDK holds a turn's result back until its entries are taken. They are taken at once, so that several of them share
 * a commit while the result is read; `endTurn` waits until all are on disk.
 */
export type TranscriptMirror = {
  readonly store: SessionStore;
  /** From now on entries belong to this conversation, under this fence. */
  beginTurn(owner: TranscriptOwner): void;
  /**
   * The last entry that the turn left in the main transcript; null when none arrived, or one was lost: a session that
   * goes on at an entry whose parents are missing has forgotten everything before them. Waits for those on their way.
   */
  endTurn(): Promise<EntryId | null>;
  /** True once an entry was refused because the turn's lease is lost. */
  fencedOut(): boolean;
  /** True once the stored transcript was asked for, until it has been read: a process that does not come may lack it. */
  isUnread(): boolean;
  /** True once entries were given up: from then on the process remembers what the store does not. */
  hasLost(): boolean;
};

export type TranscriptMirrorDeps = {
  readonly transcripts: TranscriptStore;
  readonly home: string;
  /** Where a resumed session goes on; null for a new one. */
  readonly resumeAt: EntryId | null;
  /** The turn's lease is lost: nothing that the process does from now on may be kept. */
  readonly onFencedOut: () => void;
  /** The store did not take entries; they are tried again while there are attempts left. */
  readonly onWriteFailed: (reason: string, attempt: number) => void;
  readonly clock: Clock;
};

type Batch = {
  readonly sessionId: SessionId;
  readonly subpath: string | null;
  readonly entries: readonly TranscriptEntry[];
};

/** More than this waits only behind a slow database: then the process is held up too. Between turns the oldest go. */
const MOST_WAITING_BATCHES = 100;
/** The database has waited as long as it may by itself, each time. */
const WRITE = { attempts: 4, firstMs: 50, mostMs: 1_000 };

export function makeTranscriptMirror(deps: TranscriptMirrorDeps): TranscriptMirror {
  const waiting: Batch[] = [];
  let writing: Promise<void> | null = null;
  let owner: TranscriptOwner | null = null;
  let lastEntry: EntryId | null = null;
  let fencedOut = false;
  let hasLost = false;
  let isUnread = false;

  async function writeWaiting(under: TranscriptOwner): Promise<void> {
    for (let next = takeNext(waiting); next !== null && !fencedOut; next = takeNext(waiting)) {
      if (!(await tryToWrite(next, under)) && !fencedOut) hasLost = true;
    }
    // In the same breath as the look at what waits: a batch that comes now starts the next run.
    writing = null;
  }

  async function tryToWrite(batch: Batch, under: TranscriptOwner): Promise<boolean> {
    for (let attempt = 1; attempt <= WRITE.attempts; attempt += 1) {
      try {
        await deps.transcripts.append(under, batch.sessionId, batch.subpath, batch.entries);
        noteLast(batch);
        return true;
      } catch (error) {
        if (error instanceof LeaseLost) return refuse();
        deps.onWriteFailed(toError(error).message, attempt);
      }
      if (attempt < WRITE.attempts) await deps.clock.sleep(backoffMs(attempt, WRITE));
    }
    return false;
  }

  function noteLast({ subpath, entries }: Batch): void {
    const last = entries.findLast((entry) => entry.uuid !== undefined)?.uuid;
    if (subpath === null && last !== undefined) lastEntry = last as EntryId;
  }

  function refuse(): boolean {
    fencedOut = true;
    waiting.length = 0;
    deps.onFencedOut();
    return false;
  }

  async function append(batch: Batch): Promise<void> {
    if (fencedOut) return;
    waiting.push(batch);
    if (owner !== null) writing ??= writeWaiting(owner);
    if (waiting.length <= MOST_WAITING_BATCHES) return;
    if (writing === null) waiting.shift();
    else await writing;
  }

  return {
    store: {
      append(key, entries) {
        return append({
          sessionId: key.sessionId as SessionId,
          subpath: key.subpath ?? null,
          entries: entries as readonly TranscriptEntry[],
        });
      },
      async load(key) {
        const { transcripts, home, resumeAt } = deps;
        isUnread = true;
        await writeLocalCopy(transcripts, home, key.projectKey, key.sessionId as SessionId, resumeAt);
        isUnread = false;
        // With nothing from the store the process resumes the copy in its home, which was empty until now.
        return null;
      },
    },
    beginTurn(next) {
      owner = next;
      lastEntry = null;
    },
    async endTurn() {
      while (writing !== null) await writing;
      owner = null;
      return hasLost || fencedOut ? null : lastEntry;
    },
    fencedOut: () => fencedOut,
    hasLost: () => hasLost,
    isUnread: () => isUnread,
  };
}

/** What waits first, with all that follows it into the same transcript. */
function takeNext(waiting: Batch[]): Batch | null {
  const [first] = waiting;
  if (first === undefined) return null;
  const other = waiting.findIndex(
    ({ sessionId, subpath }) => sessionId !== first.sessionId || subpath !== first.subpath,
  );
  const taken = waiting.splice(0, other === -1 ? waiting.length : other);
  return { ...first, entries: taken.flatMap(({ entries }) => entries) };
}
