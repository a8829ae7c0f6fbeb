import { afterEach, beforeEach, expect, test } from 'vitest';
import { newAgentId, newEntryId, newSessionId } from '../../src/base/ids.ts';
import { accept, conversationIn, leaseOf } from './rows.ts';
import { LEASE_MS, type MakeStoreUnderTest, type StoreUnderTest } from './store-under-test.ts';

export function leasesContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(() => under.close());
  const room = conversationIn(1);

  test('one holder has a conversation at a time', async () => {
    const other = under.another('second');
    const taken = await Promise.all([
      under.store.leases.acquire(room),
      other.leases.acquire(room),
      under.store.leases.acquire(room),
    ]);
    expect(taken.filter((lease) => lease !== null)).toHaveLength(1);
    expect(await other.leases.acquire(conversationIn(2))).not.toBeNull();
  });

  test('the fence grows by one with every lease and never starts again', async () => {
    const { store, clock } = under;
    const fences: number[] = [];
    for (const how of ['release', 'expire', 'seize', 'release'] as const) {
      const lease = how === 'seize' ? await store.leases.seize(room) : await leaseOf(store);
      fences.push(lease.fence);
      expect(lease.expiresAt).toBe(clock.now() + LEASE_MS);
      if (how === 'expire') await clock.advance(LEASE_MS);
      else await store.leases.release(lease);
    }
    expect(fences).toEqual([1, 2, 3, 4]);
  });

  test('an expired lease is taken over, and its former holder can neither renew nor release it', async () => {
    const { store, clock } = under;
    const former = await leaseOf(store);
    await clock.advance(LEASE_MS - 1);
    expect(await under.another('second').leases.acquire(room)).toBeNull();
    await clock.advance(1);
    const lease = await under.another('second').leases.acquire(room);
    expect(lease?.fence).toBe(former.fence + 1);
    expect(await store.leases.renew(former)).toBeNull();
    await accept(store);
    expect(await store.leases.release(former)).toEqual({ more: false });
    expect(await store.leases.acquire(room)).toBeNull();
  });

  test('a lease that its own holder has seized is not kept alive by the former one', async () => {
    const { store, clock } = under;
    const former = await leaseOf(store);
    const seized = await store.leases.seize(room);
    await clock.advance(1);
    expect(await store.leases.renew(former)).toBeNull();
    expect(await store.leases.release(former)).toEqual({ more: false });
    await clock.advance(LEASE_MS - 2);
    expect(await under.another('second').leases.acquire(room)).toBeNull();
    await clock.advance(1);
    expect((await under.another('second').leases.acquire(room))?.fence).toBe(seized.fence + 1);
  });

  test('renewing keeps a lease alive under the same fence', async () => {
    const { store, clock } = under;
    const lease = await leaseOf(store);
    await clock.advance(LEASE_MS - 1);
    expect(await store.leases.renew(lease)).toEqual({ ...lease, expiresAt: clock.now() + LEASE_MS });
    await clock.advance(LEASE_MS - 1);
    expect(await under.another('second').leases.acquire(room)).toBeNull();
  });

  test('another holder with the same fence number is not the holder', async () => {
    const lease = await leaseOf(under.store);
    const other = under.another('second');
    expect(await other.leases.renew(lease)).toBeNull();
    await other.leases.release(lease);
    expect(await other.leases.acquire(room)).toBeNull();
  });

  test('release says whether something is due', async () => {
    const { store, clock } = under;
    expect(await store.leases.release(await leaseOf(store))).toEqual({ more: false });
    await accept(store, { room: 2 });
    expect(await store.leases.release(await leaseOf(store))).toEqual({ more: false });
    await accept(store, { room: 1 });
    expect(await store.leases.release(await leaseOf(store))).toEqual({ more: true });

    const lease = await leaseOf(store);
    const claimed = await store.inbox.claim(lease, 'one', newEntryId());
    await store.turns.transaction(lease, (tx) =>
      tx.inbox.giveBack(
        claimed.map((message) => message.id),
        { notBefore: clock.now() + 1, countAttempt: true },
      ),
    );
    expect(await store.leases.release(lease)).toEqual({ more: false });
  });

  test('seize takes a conversation from whoever holds it', async () => {
    const held = await leaseOf(under.store);
    const seized = await under.another('second').leases.seize(room);
    expect(seized.fence).toBe(held.fence + 1);
    expect(await under.store.leases.renew(held)).toBeNull();
  });

  test('a restarted server takes over at once what the killed one held, and learns what its agents did', async () => {
    const { store, clock } = under;
    await accept(store);
    const killed = await leaseOf(store);
    await store.inbox.claim(killed, 'one', newEntryId());
    const agent = { id: newAgentId(), pid: 4_711, conversation: room, sessionId: newSessionId() };
    const ended = { ...agent, id: newAgentId() };
    await store.agents.started(agent);
    await store.agents.started(ended);
    await store.agents.ended(ended.id);

    const restarted = under.another('second');
    const startedAt = clock.now();
    expect(await restarted.recover()).toEqual({ leases: 1, agents: [{ ...agent, startedAt }] });
    expect(await restarted.inbox.due(clock.now(), 10)).toEqual([room]);
    expect((await leaseOf(restarted)).fence).toBe(killed.fence + 1);
    expect((await restarted.recover()).agents).toEqual([]);
  });
}
