import { newAgentId, newEntryId, newSessionId } from '../../src/base/ids.ts';
import type { Store } from '../../src/store/store.ts';
import { useProjects } from './project-rows.ts';
import {
  accept,
  BOT,
  CHAT,
  conversationIn,
  leaseOf,
  ledgerOf,
  messageOf,
  recordOf,
  replyIn,
  turnOf,
} from './rows.ts';

/** Each statement of the store at least once. */
export async function useEverything(store: Store): Promise<void> {
  await store.recover();
  await accept(store, { messageId: '41' });
  await store.inbox.peek(conversationIn(1));
  await store.inbox.due(2_000, 10);
  await store.inbox.markOverdue(2_000, 10);
  await store.inbox.counts();
  await store.inbox.waitingByConversation(10);
  await store.inbox.waitingIn(conversationIn(1));
  await store.inbox.newestWaiting(conversationIn(1));

  const command = messageOf({ messageId: '42', text: '/stop' });
  await store.arrivals.isStored(command);
  await store.arrivals.acceptUnlessBusy(messageOf({ messageId: '43' }), replyIn(1, 'busy'));
  await store.arrivals.acceptUnlessBusy(messageOf({ messageId: '44', room: 2 }), replyIn(2, 'busy'));
  await store.arrivals.acceptAnswered(command, { dropWaiting: true, answer: () => replyIn(1, 'stopped') });
  await store.arrivals.ignore(messageOf({ messageId: '45' }));
  for (const [messageId, mostWaiting] of [['47', 5] as const, ['48', 0] as const]) {
    const limit = { mostWaiting, notice: 'too much', noticedSince: 1 };
    await store.overflow.acceptUnlessFull(messageOf({ messageId, room: 3 }), limit);
  }
  await store.arrivals.lastAuthor(conversationIn(1));
  await accept(store, { messageId: '46' });

  const lease = await leaseOf(store);
  const record = recordOf(1);
  await store.leases.renew(lease);
  await store.sessions.begin(lease, record, 'lost');
  await store.sessions.current(lease.conversation);
  await store.sessions.formerEnd(lease.conversation);
  const prompt = newEntryId();
  const [message] = await store.inbox.claim(lease, 'one', prompt);
  await store.inbox.claimAnswered(lease, prompt);
  await store.turns.transaction(lease, (tx) =>
    tx.inbox.giveBack([message!.id], { notBefore: null, countAttempt: false }),
  );
  await store.inbox.claim(lease, 'same-author', newEntryId());
  await store.turns.transaction(lease, async (tx) => {
    await tx.inbox.settle([message!.id], 'answered');
    await tx.outbox.add([replyIn(1, 'a')]);
    await tx.ledger.add(ledgerOf(1));
    await tx.turns.add(turnOf(1));
    await tx.sessions.settle({
      sessionId: record.sessionId,
      settledEntry: prompt,
      tier: 'hot',
      start: 'reused',
      costUsd: 0,
      at: 1,
    });
  });
  await store.ledger.spent({ conversation: lease.conversation, since: 1 });
  await store.ledger.spent({ bot: BOT, user: command.userId, since: 1 });
  for (const by of ['conversation', 'user', 'bot'] as const) await store.ledger.totals(by, 1, 10);
  await store.ledger.daily(1, 'UTC');

  await store.turns.recent(null, 10);
  await store.turns.recent(lease.conversation, 10);

  const [reply] = await store.outbox.claim(Number.MAX_SAFE_INTEGER, new Set(), 10);
  await store.outbox.finish(reply!.id, { kind: 'sent', platformId: '1' });
  await store.outbox.sentIds(reply!);
  await store.outbox.counts();

  const entry = { type: 'user', uuid: newEntryId() };
  await store.transcripts.append(lease, record.sessionId, null, [entry]);
  await store.transcripts.load(record.sessionId, null);
  await store.transcripts.after(record.sessionId, entry.uuid);
  await store.transcripts.subpaths(record.sessionId);
  await store.transcripts.delete(newSessionId());

  const agent = { id: newAgentId(), pid: 1, conversation: lease.conversation, sessionId: record.sessionId };
  await store.agents.started(agent);
  await store.agents.ended(agent.id);
  await store.botKeys.learn(CHAT, BOT, '1-key');
  await store.botRooms.note(CHAT, BOT, { roomId: command.roomId, roomName: null });
  await store.botRooms.of(CHAT, BOT, 10);
  await store.inbox.known(CHAT, BOT, [{ messageId: '41', userId: command.userId }]);
  await store.meta.getOrCreate('owner', () => 'x');
  const said = { author: { id: '7', name: 'Jane', isBot: false }, html: '', plainText: '', createdAt: 1 };
  const { roomId } = await store.roomMessages.add({ ...said, roomId: reply!.roomId });
  await store.roomMessages.list(roomId, null, 10);
  await store.roomMessages.list(roomId, 0, 10);

  const { views } = store;
  const records = await views.sessions.current(null, 1);
  await views.sessions.current(records[0]!, 10);
  await views.sessions.count();
  await views.sessions.latest(lease.conversation);
  await views.sessions.isKnownSession(record.sessionId);
  await views.sessions.isKnown(conversationIn(9));
  await views.sessions.spent(lease.conversation);
  await views.sessions.transcript(record.sessionId, null, null, { entries: 10, bytes: 1_000 });
  const states = ['waiting', 'running', 'settled', 'buried', 'ignored'] as const;
  const query = { states, conversation: null, before: null, limit: 10, withText: false };
  await views.inbox.list(query);
  await views.inbox.list({ ...query, before: message!.id, withText: true });
  const replies = { ...query, states: ['owed', 'sending', 'unknown', 'sent', 'buried'] as const };
  await views.outbox.list(replies);
  await views.outbox.list({ ...replies, before: reply!.id, conversation: lease.conversation });
  await views.outbox.replay(reply!.id, 1);
  await views.inbox.list({ ...query, conversation: lease.conversation });
  await views.inbox.replay(message!.id, 1);

  await store.sessions.list(10);
  await store.sessions.conversationsOf('1');
  await store.sessions.conversationsOf(null);
  await store.sessions.end(lease, newSessionId(), 'lost');
  await store.sessions.forget(lease);
  await store.leases.release(lease);
  await useProjects(store);
}
