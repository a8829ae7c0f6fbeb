import { afterEach, beforeEach, expect, test } from 'vitest';
import { LeaseLost } from '../../src/base/errors.ts';
import { newEntryId } from '../../src/base/ids.ts';
import type { InboxId } from '../../src/base/terms.ts';
import { laneOf } from '../../src/outbox/outbox.ts';
import type { TurnTransaction } from '../../src/turn/turn.ts';
import { accept, conversationIn, leaseOf, ledgerOf, recordOf, replyIn, turnOf } from './rows.ts';
import type { MakeStoreUnderTest, StoreUnderTest } from './store-under-test.ts';

export function turnsContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(() => under.close());

  async function runTurn(): Promise<{ lease: Awaited<ReturnType<typeof leaseOf>>; id: InboxId }> {
    const id = await accept(under.store);
    const lease = await leaseOf(under.store);
    await under.store.sessions.begin(lease, recordOf(1), null);
    await under.store.inbox.claim(lease, 'one', newEntryId());
    return { lease, id };
  }

  /** Everything that a turn changes. */
  function everything(id: InboxId) {
    return async (tx: TurnTransaction): Promise<string> => {
      await tx.ledger.add(ledgerOf(1));
      await tx.turns.add(turnOf(1, { inboxIds: [id] }));
      await tx.outbox.add([replyIn(1, 'the answer'), replyIn(1, 'a remark')]);
      await tx.inbox.settle([id], 'answered');
      const current = await under.store.sessions.current(conversationIn(1));
      await tx.sessions.atRisk(5);
      await tx.sessions.settle({
        sessionId: current!.sessionId,
        settledEntry: newEntryId(),
        tier: 'cold',
        start: 'new',
        costUsd: 0.25,
        at: 5_000,
      });
      return 'done';
    };
  }

  async function expectNothingWritten(): Promise<void> {
    const { inbox, outbox, sessions, turns } = under.store;
    expect(await inbox.counts()).toMatchObject({ running: 1 });
    expect(await outbox.counts()).toMatchObject({ owed: 0 });
    expect(await sessions.current(conversationIn(1))).toMatchObject({ state: 'provisional' });
    expect(await turns.recent(null, 10)).toEqual([]);
  }

  test('a reply is claimed in the commit that adds it, and only the oldest of its lane', async () => {
    const { outbox, turns } = under.store;
    const { lease, id } = await runTurn();
    const claimed = await turns.transaction(lease, async (tx) => {
      await everything(id)(tx);
      return tx.outbox.claim(replyIn(1, ''));
    });
    const now = under.clock.now();
    expect(claimed).toMatchObject({
      ...replyIn(1, 'the answer'),
      state: 'sending',
      attempts: 1,
      sendingAt: now,
    });
    const busy = new Set([laneOf(replyIn(1, ''))]);
    expect(await outbox.claim(now, busy, 10)).toEqual([]);
    await outbox.finish(claimed!.id, { kind: 'sent', platformId: '1' });
    expect(await outbox.claim(now, new Set(), 10)).toMatchObject([{ markdown: 'a remark' }]);
  });

  test('a reply behind one that is being sent, or backs off, is not claimed', async () => {
    const { outbox, turns } = under.store;
    const { lease } = await runTurn();
    const claim = () => turns.transaction(lease, (tx) => tx.outbox.claim(replyIn(1, '')));
    expect(await claim()).toBeNull();
    await outbox.add([replyIn(1, 'a'), replyIn(1, 'b'), replyIn(2, 'c')]);
    const first = await claim();
    expect(await claim()).toBeNull();
    const notBefore = under.clock.now() + 1_000;
    await outbox.finish(first!.id, { kind: 'owed', notBefore, reason: 'HTTP 503' });
    expect(await claim()).toBeNull();
    await under.clock.advance(1_000);
    expect(await claim()).toMatchObject({ markdown: 'a', attempts: 2 });
  });

  test('a turn settles its messages, owes its replies and moves its session on, together', async () => {
    const { inbox, outbox, sessions, turns } = under.store;
    const { lease, id } = await runTurn();
    expect(await turns.transaction(lease, everything(id))).toBe('done');
    expect(await inbox.counts()).toMatchObject({ running: 0, waiting: 0 });
    expect(await outbox.counts()).toMatchObject({ owed: 2 });
    expect(await sessions.current(lease.conversation)).toMatchObject({ state: 'active', turnCount: 1 });
  });

  test('a stale settle writes nothing', async () => {
    const { lease, id } = await runTurn();
    await under.another('second').leases.seize(lease.conversation);
    await expect(under.store.turns.transaction(lease, everything(id))).rejects.toThrow(LeaseLost);
    await expectNothingWritten();
  });

  test('a lease that was given up settles nothing', async () => {
    const { lease, id } = await runTurn();
    await under.store.leases.release(lease);
    await expect(under.store.turns.transaction(lease, everything(id))).rejects.toThrow(LeaseLost);
    await expectNothingWritten();
  });

  test('another server with the same fence settles nothing', async () => {
    const { lease, id } = await runTurn();
    await expect(under.another('second').turns.transaction(lease, everything(id))).rejects.toThrow(LeaseLost);
    await expectNothingWritten();
  });

  test('a lease past its expiry settles as long as nobody has taken it', async () => {
    const { lease, id } = await runTurn();
    await under.clock.advance(600_000);
    expect(await under.store.turns.transaction(lease, everything(id))).toBe('done');
  });

  test('work that throws writes nothing', async () => {
    const { lease, id } = await runTurn();
    const failing = under.store.turns.transaction(lease, async (tx) => {
      await everything(id)(tx);
      throw new Error('at the very end');
    });
    await expect(failing).rejects.toThrow('at the very end');
    await expectNothingWritten();
  });

  test('settling one message twice in a turn is a mistake that writes nothing', async () => {
    const { lease, id } = await runTurn();
    const twice = under.store.turns.transaction(lease, async (tx) => {
      await everything(id)(tx);
      await tx.inbox.settle([id], 'answered');
    });
    await expect(twice).rejects.toThrow();
    await expectNothingWritten();
  });

  test('the newest turns come first, of one conversation or of all', async () => {
    const { turns } = under.store;
    const records = [turnOf(1, { reason: 'a' }), turnOf(2, { reason: 'b', firstTextMs: 40.5 }), turnOf(1)];
    for (const [index, record] of records.entries()) {
      const lease = await under.store.leases.seize(conversationIn(index === 1 ? 2 : 1));
      await turns.transaction(lease, (tx) => tx.turns.add(record));
    }
    expect(await turns.recent(null, 10)).toEqual([records[2], records[1], records[0]]);
    expect(await turns.recent(null, 1)).toEqual([records[2]]);
    expect(await turns.recent(conversationIn(1), 10)).toEqual([records[2], records[0]]);
  });
}
