import type { Compaction } from '../agent/agent.ts';
import { setNewest } from '../base/set-newest.ts';
import type { Lease } from '../base/terms.ts';
import { decideCompaction } from './decide-compaction.ts';
import { MOST_CONVERSATIONS, type SessionEngine } from './engine.ts';
import type { LiveAgent } from './live-agents.ts';
import type { CompactOutcome } from './session.ts';

/**
 * Shortens the conversation's memory on its live, idle process; the session goes on at the entry that the compaction
 * wrote. What it cost is in the ledger. A compaction that fails leaves the session as it was, resumed next time.
 */
export async function compactSession(lease: Lease, engine: SessionEngine): Promise<CompactOutcome> {
  const key = lease.conversation;
  const entry = engine.live.get(key);
  if (entry === null || !entry.agent.alive || entry.busy || entry.record.settledEntry === null)
    return 'not-live';
  entry.busy = true;
  const compacted = await entry.agent.compact(lease.fence);
  try {
    const outcome = await book(compacted, entry, lease, engine);
    if (outcome === 'failed' || engine.limits.stateless) await engine.live.end(key, entry);
    return outcome;
  } catch (error) {
    await engine.live.end(key, entry);
    throw error;
  }
}

/** What came of it goes to disk, then to the live process. */
async function book(
  compacted: Compaction,
  entry: LiveAgent,
  lease: Lease,
  engine: SessionEngine,
): Promise<'compacted' | 'failed'> {
  const { record } = entry;
  const cost = { usage: compacted.usage, at: engine.clock.now() };
  if (compacted.kind === 'failed' || compacted.lastEntry === null) {
    setNewest(engine.compactionsFailed, lease.conversation, cost.at, MOST_CONVERSATIONS);
    await engine.records.booked(lease, record.sessionId, cost);
    return 'failed';
  }
  const moved = { sessionId: compacted.sessionId, settledEntry: compacted.lastEntry };
  await engine.records.compacted(lease, record.sessionId, { ...moved, ...cost });
  engine.compactionsFailed.delete(lease.conversation);
  entry.record = { ...record, ...moved, costUsd: record.costUsd + compacted.usage.costUsd };
  entry.leftTokens = compacted.tokens?.after ?? null;
  entry.busy = false;
  return 'compacted';
}

/** Compacts a conversation whose turn has just settled when it fills too much of the model's context. */
export async function compactIfFull(
  lease: Lease,
  contextTokens: number | null,
  aboveTokens: number | null,
  engine: SessionEngine,
): Promise<CompactOutcome | 'not-needed'> {
  const isFull = decideCompaction({
    now: engine.clock.now(),
    contextTokens,
    aboveTokens,
    leftTokens: engine.live.get(lease.conversation)?.leftTokens ?? null,
    failedAt: engine.compactionsFailed.get(lease.conversation) ?? null,
  });
  return isFull ? compactSession(lease, engine) : 'not-needed';
}
