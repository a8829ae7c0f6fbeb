import type { SessionStore } from '@anthropic-ai/claude-agent-sdk';
import { LeaseLost } from '../../base/errors.ts';
import type { EntryId, SessionId } from '../../base/terms.ts';
import type { TranscriptEntry, TranscriptOwner, TranscriptStore } from '../agent.ts';
import { writeLocalCopy } from './local-copy.ts';

/**
 * Our side of the SDK's `SessionStore` for one process.
 *
 * Entries of a running turn go to the transcript store under the turn's fence. Between turns nobody holds the
 * conversation, and a spare has none; so what the process writes then waits for the next turn's fence, and is dropped with the process:
 * it is bookkeeping, and a resume goes back to the settled entry anyway.
 */
export type TranscriptMirror = {
  readonly store: SessionStore;
  /** From now on entries belong to this conversation, under this fence. */
  beginTurn(owner: TranscriptOwner): void;
  /**
   * The last entry that the turn left in the main transcript; null when none arrived, or not all of them: a session that
   * goes on at an entry whose parents are missing has forgotten everything before them. Waits for those on their way.
   */
  endTurn(): Promise<EntryId | null>;
  /** True once an entry was refused because the turn's lease is lost. */
  fencedOut(): boolean;
};

export type TranscriptMirrorDeps = {
  readonly transcripts: TranscriptStore;
  readonly home: string;
  /** Where a resumed session goes on; null for a new one. */
  readonly resumeAt: EntryId | null;
  /** The turn's lease is lost: nothing that the process does from now on may be kept. */
  readonly onFencedOut: () => void;
};

type Batch = {
  readonly sessionId: SessionId;
  readonly subpath: string | null;
  readonly entries: readonly TranscriptEntry[];
};

/** A process at rest writes a handful; more than this is not bookkeeping any more, and the oldest go. */
const MOST_WAITING_BATCHES = 100;

export function makeTranscriptMirror(deps: TranscriptMirrorDeps): TranscriptMirror {
  const waiting: Batch[] = [];
  let lastWrite: Promise<void> = Promise.resolve();
  let owner: TranscriptOwner | null = null;
  let lastEntry: EntryId | null = null;
  let fencedOut = false;
  /** Entries of which a write failed, until one succeeds: the SDK tries again a few times, then drops them. */
  const missing = new Set<string>();

  async function write(batch: Batch, under: TranscriptOwner): Promise<void> {
    const ids = batch.entries.flatMap(({ uuid }) => uuid ?? []);
    for (const id of ids) missing.add(id);
    await deps.transcripts.append(under, batch.sessionId, batch.subpath, batch.entries);
    for (const id of ids) missing.delete(id);
    const last = batch.entries.findLast((entry) => entry.uuid !== undefined)?.uuid;
    if (batch.subpath === null && last !== undefined) lastEntry = last as EntryId;
  }

  /** A batch is taken off only when it is written: the SDK calls again after a failure, with the later batch alone. */
  async function writeInOrder(batch: Batch, under: TranscriptOwner): Promise<void> {
    while (waiting[0] !== undefined) {
      await write(waiting[0], under);
      waiting.shift();
    }
    await write(batch, under);
  }

  async function append(batch: Batch): Promise<void> {
    if (fencedOut) return;
    if (owner === null) {
      waiting.push(batch);
      if (waiting.length > MOST_WAITING_BATCHES) waiting.shift();
      return;
    }
    try {
      await writeInOrder(batch, owner);
    } catch (error) {
      if (!(error instanceof LeaseLost)) throw error;
      fencedOut = true;
      deps.onFencedOut();
    }
  }

  return {
    store: {
      append(key, entries) {
        const batch = {
          sessionId: key.sessionId as SessionId,
          subpath: key.subpath ?? null,
          entries: entries as readonly TranscriptEntry[],
        };
        const writing = lastWrite.then(() => append(batch));
        // Its failure belongs to the SDK, which calls again; the next write only waits its turn.
        lastWrite = writing.catch(() => {});
        return writing;
      },
      async load(key) {
        const { transcripts, home, resumeAt } = deps;
        await writeLocalCopy(transcripts, home, key.projectKey, key.sessionId as SessionId, resumeAt);
        // With nothing from the store the process resumes the copy in its home, which was empty until now.
        return null;
      },
    },
    beginTurn(next) {
      owner = next;
      lastEntry = null;
    },
    async endTurn() {
      await lastWrite;
      owner = null;
      return missing.size === 0 ? lastEntry : null;
    },
    fencedOut: () => fencedOut,
  };
}
