import { DatabaseSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { newSessionId } from '../../src/base/ids.ts';
import { accept, conversationIn, leaseOf, ledgerOf, recordOf, replyIn, runOneTurn } from './rows.ts';
import { makeSqliteUnderTest } from './store-under-test.ts';

test('no statement of the retention reads a table from end to end, or sorts one', async () => {
  const prepared = vi.spyOn(DatabaseSync.prototype, 'prepare');
  const under = await makeSqliteUnderTest();
  const { store } = under;
  await accept(store);
  await runOneTurn(store);
  await store.outbox.add([replyIn(1, 'a')]);
  const [reply] = await store.outbox.claim(1e15, new Set(), 1);
  await store.outbox.finish(reply!.id, { kind: 'sent', platformId: '1' });
  const lease = await leaseOf(store);
  await store.turns.transaction(lease, (tx) => tx.ledger.add(ledgerOf(1)));
  const id = newSessionId();
  prepared.mockClear();

  const { retention } = store;
  const late = under.clock.now() + 1;
  const session = { id, conversation: lease.conversation, at: 1 };
  await retention.messages(late);
  await retention.turns(late);
  await retention.roomMessages(late);
  await retention.replies(late, { at: 0, id: 0 });
  await retention.ledger(late, { at: 0, id: 0 });
  await retention.idleSessions(late, session, 10);
  await retention.endedSessions(late, session, 10);
  await store.sessions.begin(lease, recordOf(1), null);
  await retention.expire(lease, session, 1);
  await retention.isOver(conversationIn(2), late);
  await retention.transcript(id);
  await retention.session(lease, id);

  const connection = prepared.mock.contexts[0] as DatabaseSync;
  const statements = [...new Set(prepared.mock.calls.map(([statement]) => statement))];
  const costly = statements.flatMap((statement) =>
    connection
      .prepare(`explain query plan ${statement}`)
      .all()
      .map(({ detail }) => String(detail))
      // Only equal times are sorted in memory.
      .filter((detail) => /^SCAN |TEMP B-TREE FOR (?!LAST TERM)/.test(detail))
      .map((detail) => `${detail}: ${statement}`),
  );
  vi.restoreAllMocks();
  await under.close();
  expect(costly).toEqual([]);
  expect(statements.length).toBeGreaterThan(12);
});
