import { describe, expect, it } from 'vitest';
import { makeFakeClock } from '../../test/fixtures/fake-clock.ts';
import { makeBot, makeMemoryBots } from '../../test/fixtures/front-doors.ts';
import { newSessionId } from '../base/ids.ts';
import type { ConversationKey, Fence, Lease } from '../base/terms.ts';
import type { CompactOutcome, SessionRecord } from '../session/session.ts';
import { makeSteering } from './steering.ts';

const lobby = 'builtin:lobby:bender' as ConversationKey;
const HOUR = 3_600_000;

/** Steering with queue, sessions and rows in memory; `done` tells what was done, in order. */
function makeHouse(record: Partial<SessionRecord> | null) {
  const clock = makeFakeClock(10 * HOUR);
  const done: string[] = [];
  const facts = {
    active: false,
    compacts: 'compacted' as CompactOutcome | null,
    failure: null as Error | null,
  };
  const current: SessionRecord | null = record && {
    sessionId: newSessionId(),
    conversation: lobby,
    state: 'active',
    settledEntry: null,
    fingerprint: '',
    createdAt: 8 * HOUR,
    lastUsedAt: 9.5 * HOUR,
    turnCount: 3,
    costUsd: 1,
    lastTier: 'cold',
    lastStart: 'new',
    memoryAtRiskAt: null,
    ...record,
  };
  const lease: Lease = { conversation: lobby, fence: 1 as Fence, expiresAt: 0 };
  const steering = makeSteering({
    queue: {
      interrupt(_conversation, reason) {
        done.push(`interrupt ${reason}`);
        return facts.active;
      },
      idle: async () => void done.push('idle'),
      hold: () => () => {},
      active: () => (facts.active ? [{ conversation: lobby, since: clock.now() - 5_000 }] : []),
      runBetween: async (_conversation, work) => (facts.compacts === null ? null : work(lease)),
    },
    sessions: {
      live: () => [],
      async rewarm() {
        done.push('rewarm');
        return true;
      },
      async compact() {
        done.push('compact');
        if (facts.failure !== null) throw facts.failure;
        return facts.compacts ?? 'failed';
      },
      model: {
        get: async () => 'chosen',
        set: async (_conversation, model) => void done.push(`model ${model}`),
      },
    },
    records: { current: async () => current },
    inbox: { waitingIn: async () => 2 },
    ledger: { spent: async (of) => of.since / HOUR },
    bots: makeMemoryBots([makeBot({ sessionTtlMs: HOUR, models: ['chosen'] })]),
    clock,
    forget: async () => void done.push('forget'),
    onCompacted: (_conversation, outcome) => void done.push(`compacted: ${outcome}`),
  });
  return { clock, done, facts, steering };
}

describe('the status of a conversation', () => {
  it('tells what it remembers and what that has cost since it began', async () => {
    const { steering, facts, clock } = makeHouse({});
    facts.active = true;
    expect(await steering.status(lobby)).toEqual({
      runningSince: clock.now() - 5_000,
      waiting: 2,
      isLive: false,
      session: { turnCount: 3, createdAt: 8 * HOUR, costUsd: 8 },
      model: 'chosen',
    });
  });

  it.each([
    ['there is no session', null],
    ['none of its turns has settled', { state: 'provisional' as const }],
    ['it has expired', { lastUsedAt: 8.9 * HOUR }],
  ])('remembers nothing where %s', async (_name, record) => {
    const { steering } = makeHouse(record);
    expect((await steering.status(lobby)).session).toBeNull();
    expect(await steering.compact(lobby)).toBe('nothing');
  });
});

describe('an interrupt', () => {
  it('waits until the turn has ended, and is silent in the room', async () => {
    const { steering, facts, done } = makeHouse({});
    facts.active = true;
    expect(await steering.interrupt(lobby)).toBe('ended');
    expect(done).toEqual(['interrupt stopped-by-command', 'idle']);
  });

  it('of nothing waits for nothing', async () => {
    const { steering, done } = makeHouse({});
    expect(await steering.interrupt(lobby)).toBe('not-running');
    expect(done).toEqual(['interrupt stopped-by-command']);
  });
});

describe('a compaction', () => {
  it('that a room asks for has started when it is answered, and tells its end later', async () => {
    const { steering, done, clock } = makeHouse({});
    expect(await steering.compact(lobby)).toBe('started');
    await clock.advance(0);
    expect(done).toEqual(['rewarm', 'compact', 'compacted: compacted']);
  });

  it('that fails is told too', async () => {
    const { steering, facts, done, clock } = makeHouse({});
    facts.failure = new Error('the database is away');
    expect(await steering.compact(lobby)).toBe('started');
    await clock.advance(0);
    expect(done.at(-1)).toBe('compacted: Error: the database is away');
  });

  it('that cannot be run now is busy', async () => {
    const { steering, facts } = makeHouse({});
    facts.compacts = null;
    expect(await steering.compactNow(lobby)).toBe('busy');
  });
});
