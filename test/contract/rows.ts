import { toConversationKey } from '../../src/base/conversation.ts';
import { newEntryId, newSessionId } from '../../src/base/ids.ts';
import { botId, chatName, type Lease, roomId, userId } from '../../src/base/terms.ts';
import type { IncomingMessage } from '../../src/inbox/inbox.ts';
import type { NewReply } from '../../src/outbox/outbox.ts';
import type { SessionRecord } from '../../src/session/session.ts';
import type { Store } from '../../src/store/store.ts';
import type { LedgerEntry, TurnRecord } from '../../src/turn/turn.ts';

export const CHAT = chatName('campfire:abc');
export const BOT = botId('helper');

export function conversationIn(room: number) {
  return toConversationKey({ chat: CHAT, roomId: roomId(room), botId: BOT, userId: null });
}

export type MessageFacts = Partial<
  Pick<IncomingMessage, 'messageId' | 'text' | 'userId' | 'receivedAt' | 'roomName' | 'chat' | 'botId'>
> & { readonly room?: number };

export function messageOf({ room = 1, ...facts }: MessageFacts = {}): IncomingMessage {
  return {
    conversation: conversationIn(room),
    chat: CHAT,
    roomId: roomId(room),
    roomName: 'Lounge',
    botId: BOT,
    userId: userId(7),
    userName: 'Jane',
    messageId: null,
    text: 'hello',
    receivedAt: 1_000,
    ...facts,
  };
}

/** Accepts a message that is not there yet; its id. */
export async function accept(store: Store, facts: MessageFacts = {}) {
  const outcome = await store.inbox.accept(messageOf(facts));
  if (outcome.kind !== 'accepted') throw new Error('a duplicate');
  return outcome.id;
}

export async function leaseOf(store: Store, room = 1): Promise<Lease> {
  const lease = await store.leases.acquire(conversationIn(room));
  if (lease === null) throw new Error('somebody holds it');
  return lease;
}

export function replyIn(room: number, markdown: string): NewReply {
  return {
    conversation: conversationIn(room),
    chat: CHAT,
    roomId: roomId(room),
    botId: BOT,
    inboxId: null,
    kind: 'reply',
    markdown,
  };
}

export const USAGE = {
  costUsd: 0.25,
  inputTokens: 10,
  outputTokens: 20,
  cacheReadTokens: 30,
  cacheWriteTokens: 40,
};

export function recordOf(room: number, facts: Partial<SessionRecord> = {}): SessionRecord {
  return {
    sessionId: newSessionId(),
    conversation: conversationIn(room),
    state: 'provisional',
    settledEntry: null,
    fingerprint: 'f',
    createdAt: 1_000,
    lastUsedAt: 1_000,
    turnCount: 0,
    costUsd: 0,
    lastTier: 'cold',
    lastStart: 'new',
    memoryAtRiskAt: null,
    ...facts,
  };
}

export function turnOf(room: number, facts: Partial<TurnRecord> = {}): TurnRecord {
  return {
    conversation: conversationIn(room),
    botId: BOT,
    sessionId: newSessionId(),
    inboxIds: [],
    tier: 'hot',
    start: 'reused',
    reason: 'its process is still here',
    outcome: 'answered',
    attempt: 1,
    endedAt: 2_000,
    waitedMs: 1.5,
    openedMs: 0,
    firstTextMs: null,
    answeredMs: 800,
    ...facts,
  };
}

export function ledgerOf(room: number): LedgerEntry {
  return {
    conversation: conversationIn(room),
    botId: BOT,
    userId: userId(7),
    sessionId: newSessionId(),
    outcome: 'answered',
    usage: USAGE,
    at: 2_000,
  };
}

/** What one turn does: take the lease, claim, settle, release. The texts that it claimed. */
export async function runOneTurn(store: Store, room = 1): Promise<readonly string[]> {
  const lease = await leaseOf(store, room);
  const messages = await store.inbox.claim(lease, 'one', newEntryId());
  const ids = messages.map((message) => message.id);
  await store.turns.transaction(lease, (tx) => tx.inbox.settle(ids, 'answered'));
  await store.leases.release(lease);
  return messages.map((message) => message.text);
}
