import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { toConversationKey } from '../../src/base/conversation.ts';
import { newEntryId, newSessionId } from '../../src/base/ids.ts';
import { botId, chatName, type Lease, roomId, userId } from '../../src/base/terms.ts';
import type { SessionRecord } from '../../src/session/session.ts';
import { openSqlite } from '../../src/store/sqlite/sqlite.ts';
import { makeStore, type Store } from '../../src/store/store.ts';
import { BOT_ID } from './settings.ts';

const CHAT = chatName('campfire:seeded');
const USAGE = { costUsd: 0.01, inputTokens: 900, outputTokens: 80, cacheReadTokens: 0, cacheWriteTokens: 0 };
const ANSWER = 'We said that it comes after the tests, on Thursday.';
/** Conversations that are written at once: they share commits. */
const AT_ONCE = 200;

/** Makes a data folder that knows so many conversations, each with one turn behind it: rows as the server leaves them. */
export async function seedConversations(dataDir: string, count: number): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  const database = await openSqlite(join(dataDir, 'firekeeper.sqlite'), systemClock);
  const store = makeStore(database, systemClock, { holder: 'seed', leaseMs: 600_000 });
  for (let first = 0; first < count; first += AT_ONCE) {
    const rooms = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, index) => first + index);
    await Promise.all(rooms.map((room) => addConversation(store, String(room))));
  }
  await store.close();
}

async function addConversation(store: Store, room: string): Promise<void> {
  const place = { chat: CHAT, roomId: roomId(room), botId: botId(BOT_ID), userId: userId(1) };
  const conversation = toConversationKey({ ...place, userId: null });
  await store.inbox.accept({
    ...place,
    conversation,
    roomName: `Room ${room}`,
    userName: 'David',
    messageId: room,
    text: 'What did we decide about the launch last week?',
    receivedAt: systemClock.now(),
  });
  const lease = await store.leases.acquire(conversation);
  if (lease === null) throw new Error('somebody else works on the seeded folder');
  await settleTurn(store, lease, newRecord(lease));
  await store.leases.release(lease);
}

function newRecord(lease: Lease): SessionRecord {
  const now = systemClock.now();
  return {
    sessionId: newSessionId(),
    conversation: lease.conversation,
    state: 'provisional',
    settledEntry: null,
    fingerprint: randomUUID(),
    createdAt: now,
    lastUsedAt: now,
    turnCount: 0,
    costUsd: 0,
    lastTier: 'cold',
    lastStart: 'new',
    memoryAtRiskAt: null,
  };
}

async function settleTurn(store: Store, lease: Lease, record: SessionRecord): Promise<void> {
  const { conversation } = lease;
  const { sessionId } = record;
  const at = systemClock.now();
  await store.sessions.begin(lease, record, null);
  const messages = await store.inbox.claim(lease, 'one', newEntryId());
  const settledEntry = newEntryId();
  const owner = { conversation, fence: lease.fence };
  await store.transcripts.append(owner, sessionId, null, [
    { type: 'user', uuid: newEntryId(), message: { role: 'user', content: messages[0]?.text } },
    { type: 'assistant', uuid: settledEntry, message: { role: 'assistant', content: ANSWER } },
  ]);
  await store.turns.transaction(lease, async (tx) => {
    const bot = { conversation, botId: botId(BOT_ID) };
    await tx.ledger.add({ ...bot, userId: userId(1), sessionId, outcome: 'answered', usage: USAGE, at });
    const inboxIds = messages.map(({ id }) => id);
    await tx.inbox.settle(inboxIds, 'answered');
    await tx.turns.add({
      ...bot,
      sessionId,
      inboxIds,
      tier: 'cold',
      start: 'new',
      reason: 'first message of this conversation',
      outcome: 'answered',
      attempt: 1,
      endedAt: at,
      waitedMs: 2,
      openedMs: 400,
      firstTextMs: 60,
      answeredMs: 80,
    });
    const settled = {
      sessionId,
      settledEntry,
      tier: 'cold',
      start: 'new',
      costUsd: USAGE.costUsd,
      at,
    } as const;
    await tx.sessions.settle(settled);
  });
}
