import { describe, expect, it } from 'vitest';
import { attic, kitchen, lobby, makeQueueHouse, POLL_MS } from '../../test/fixtures/queue-house.ts';
import { LeaseLost } from '../base/errors.ts';
import type { InboxMessage } from '../inbox/inbox.ts';

describe('turns', () => {
  it('of one conversation run one after the other, in order', async () => {
    const house = makeQueueHouse();
    for (const text of ['one', 'two', 'three']) await house.accept(lobby, text);
    expect(house.texts()).toEqual(['one']);
    house.turns[0]?.end();
    await house.settle();
    expect(house.texts()).toEqual(['one', 'two']);
    house.turns[1]?.end();
    await house.settle();
    expect(house.texts()).toEqual(['one', 'two', 'three']);
  });

  it('of several conversations run at once, up to the limit, and the next one follows', async () => {
    const house = makeQueueHouse({ atOnce: 2 });
    await house.accept(lobby, 'one');
    await house.accept(kitchen, 'two');
    await house.accept(attic, 'three');
    expect(house.texts()).toEqual(['one', 'two']);
    expect(house.queue.active().map(({ conversation }) => conversation)).toEqual([lobby, kitchen]);
    house.turns[1]?.end();
    await house.settle();
    expect(house.texts()).toEqual(['one', 'two', 'three']);
  });

  it('run under a lease, which is given up when nothing waits', async () => {
    const house = makeQueueHouse();
    await house.accept(lobby, 'one');
    expect(house.leases.held.get(lobby)).toEqual(house.turns[0]?.lease);
    house.turns[0]?.end();
    await house.settle();
    expect(house.leases.held.size).toBe(0);
    expect(house.queue.active()).toEqual([]);
    expect(house.clock.pending()).toBe(0);
  });

  it('have their lease renewed while they run', async () => {
    const house = makeQueueHouse();
    await house.accept(lobby, 'one');
    await house.clock.advance(15_000);
    expect(house.leases.renewals).toBe(3);
    house.turns[0]?.end();
    await house.settle();
  });

  it('do not begin while somebody else holds the conversation; the poll comes back', async () => {
    const house = makeQueueHouse();
    const other = await house.leases.acquire(lobby);
    await house.accept(lobby, 'one');
    expect(house.turns).toEqual([]);
    expect(house.queue.active()).toEqual([]);
    if (other !== null) await house.leases.release(other);
    house.queue.start();
    await house.settle();
    expect(house.texts()).toEqual(['one']);
  });
});

describe('a message', () => {
  it('that nobody woke the queue for is found by the poll', async () => {
    const house = makeQueueHouse();
    house.queue.start();
    await house.settle();
    house.store(lobby, 'one');
    await house.clock.advance(POLL_MS - 1);
    expect(house.texts()).toEqual([]);
    await house.clock.advance(1);
    expect(house.texts()).toEqual(['one']);
  });

  it('of which the poll and a wake tell at once runs once', async () => {
    const house = makeQueueHouse();
    house.queue.start();
    await house.accept(lobby, 'one');
    await house.clock.advance(3 * POLL_MS);
    expect(house.texts()).toEqual(['one']);
  });

  it('that was stored while a turn ended is seen when its lease is given up', async () => {
    const house = makeQueueHouse();
    await house.accept(lobby, 'one');
    house.turns[0]?.end();
    house.store(lobby, 'two');
    await house.settle();
    expect(house.texts()).toEqual(['one', 'two']);
  });

  it('that was accepted while the lease was being given up is not left to the poll', async () => {
    const house = makeQueueHouse();
    await house.accept(lobby, 'one');
    const release = house.holdReleases();
    house.turns[0]?.end();
    await house.settle();
    // The release has looked and seen nothing; the conversation still counts as active.
    await house.accept(lobby, 'two');
    expect(house.texts()).toEqual(['one']);
    release();
    await house.settle();
    expect(house.texts()).toEqual(['one', 'two']);
  });

  it('finds the queue polling on after the inbox could not be read', async () => {
    const house = makeQueueHouse();
    house.failing.add('due');
    house.queue.start();
    house.store(lobby, 'one');
    await house.clock.advance(3 * POLL_MS);
    expect(house.texts()).toEqual([]);
    house.failing.clear();
    await house.clock.advance(POLL_MS);
    expect(house.texts()).toEqual(['one']);
  });
});

describe('a turn that fails', () => {
  it('stops no other, gives its lease up and is tried again by the poll, not at once', async () => {
    const house = makeQueueHouse();
    house.queue.start();
    await house.accept(lobby, 'one');
    await house.accept(kitchen, 'two');
    house.turns[0]?.fail(new Error('a bug'));
    await house.settle();
    expect(house.texts()).toEqual(['one', 'two']);
    expect(house.leases.held.has(lobby)).toBe(false);
    house.turns[1]?.end();
    await house.clock.advance(POLL_MS);
    expect(house.texts()).toEqual(['one', 'two', 'one']);
  });

  it('again and again is tried more and more seldom, at least once a minute, until one ends well', async () => {
    const house = makeQueueHouse();
    house.queue.start();
    await house.accept(lobby, 'one');
    const triedWithin = async (seconds: number) => {
      const before = house.turns.length;
      for (let second = 0; second < seconds; second += 1) {
        house.turns.at(-1)?.fail(new Error('a bug'));
        await house.clock.advance(POLL_MS);
      }
      return house.turns.length - before;
    };
    expect(await triedWithin(60)).toBeLessThan(10);
    expect(await triedWithin(600)).toBeLessThan(25);
    expect(await triedWithin(62)).toBeGreaterThanOrEqual(1);
    await house.accept(kitchen, 'two');
    expect(house.texts().at(-1)).toBe('two');
    house.turns.at(-1)?.end();

    while (house.texts().at(-1) === 'two') await house.clock.advance(POLL_MS);
    house.turns.at(-1)?.end();
    await house.settle();
    await house.accept(lobby, 'three');
    expect(house.texts().at(-1)).toBe('three');
    house.turns.at(-1)?.fail(new Error('a bug'));
    await house.clock.advance(POLL_MS);
    expect(house.texts().slice(-2)).toEqual(['three', 'three']);
  });

  it('because its lease was lost is counted as fenced out', async () => {
    const house = makeQueueHouse();
    await house.accept(lobby, 'one');
    const turn = house.turns[0];
    turn?.fail(new LeaseLost(turn.lease));
    await house.settle();
    expect((await house.metrics.fencedOut.get()).values[0]?.value).toBe(1);
    expect(house.queue.active()).toEqual([]);
  });
});

describe('whoever writes while a turn runs', () => {
  it('is told once for each running turn', async () => {
    const house = makeQueueHouse();
    await house.accept(lobby, 'one');
    expect(house.remarks).toEqual([]);
    await house.accept(lobby, 'two');
    await house.accept(lobby, 'three');
    expect(house.remarks).toEqual([`busy ${lobby}`]);
    house.turns[0]?.end();
    await house.settle();
    await house.accept(lobby, 'four');
    expect(house.remarks).toEqual([`busy ${lobby}`, `busy ${lobby}`]);
  });

  it('is told so while the turn has not taken its messages yet', async () => {
    const house = makeQueueHouse();
    house.failing.add('claim');
    await house.accept(lobby, 'one');
    await house.accept(lobby, 'two');
    expect(house.remarks).toEqual([`busy ${lobby}`]);
  });

  it('is told so when a turn that it might have joined has not taken it', async () => {
    const house = makeQueueHouse({}, 'merge');
    house.failing.add('claim');
    await house.accept(lobby, 'one');
    await house.accept(lobby, 'two, of somebody else');
    expect(house.remarks).toEqual([]);
    house.turns[0]?.claim();
    await house.settle();
    expect(house.remarks).toEqual([`busy ${lobby}`]);
  });

  it('is told nothing when the poll was faster than its own wake', async () => {
    const house = makeQueueHouse();
    house.store(lobby, 'one');
    house.queue.start();
    await house.settle();
    house.queue.wake(lobby);
    await house.settle();
    expect(house.texts()).toEqual(['one']);
    expect(house.remarks).toEqual([]);
  });

  it('is told nothing either when its own wake comes before the turn has taken it', async () => {
    const house = makeQueueHouse();
    house.failing.add('claim');
    house.store(lobby, 'one');
    house.queue.start();
    await house.settle();
    house.queue.wake(lobby);
    await house.settle();
    expect(house.remarks).toEqual([]);
  });

  it('is told nothing once the turn has committed', async () => {
    const house = makeQueueHouse();
    await house.accept(lobby, 'one');
    house.turns[0]?.commit();
    await house.accept(lobby, 'two');
    expect(house.remarks).toEqual([]);
  });

  it('is told nothing in another conversation', async () => {
    const house = makeQueueHouse();
    await house.accept(lobby, 'one');
    await house.accept(kitchen, 'two');
    expect(house.remarks).toEqual([]);
  });

  it('does not break the queue when the remark fails', async () => {
    const house = makeQueueHouse();
    house.failing.add('remark');
    await house.accept(lobby, 'one');
    await house.accept(lobby, 'two');
    house.turns[0]?.end();
    await house.settle();
    expect(house.texts()).toEqual(['one', 'two']);
  });
});

describe('a message that waits too long', () => {
  it('is remarked on as often as the inbox says that it is overdue: once', async () => {
    const house = makeQueueHouse();
    house.overdue.push({ conversation: lobby } as InboxMessage);
    house.queue.start();
    await house.clock.advance(5 * POLL_MS);
    expect(house.remarks).toEqual([`takes_longer ${lobby}`]);
  });
});

describe('idle', () => {
  it('resolves when the conversation runs no turn', async () => {
    const house = makeQueueHouse();
    await house.queue.idle(lobby);
    await house.accept(lobby, 'one');
    let idle = false;
    const waited = house.queue.idle(lobby).then(() => {
      idle = true;
    });
    await house.settle();
    expect(idle).toBe(false);
    house.turns[0]?.end();
    await waited;
  });
});

describe('a drain', () => {
  it('lets running turns end, begins none and leaves no timer behind', async () => {
    const house = makeQueueHouse({ atOnce: 1 });
    house.queue.start();
    await house.accept(lobby, 'one');
    await house.accept(lobby, 'two');
    await house.accept(kitchen, 'three');
    const drained = house.queue.drain(8_000);
    await house.accept(attic, 'four');
    await house.clock.advance(7_999);
    expect(house.turns[0]?.watch.abort.aborted).toBe(false);
    house.turns[0]?.end();
    await drained;
    await house.clock.advance(10 * POLL_MS);
    expect(house.texts()).toEqual(['one']);
    expect(house.leases.held.size).toBe(0);
    expect(house.clock.pending()).toBe(0);
  });

  it('interrupts what still runs after its time, with its reason', async () => {
    const house = makeQueueHouse();
    await house.accept(lobby, 'one');
    let drained = false;
    const draining = house.queue.drain(8_000).then(() => {
      drained = true;
    });
    await house.clock.advance(8_000);
    expect(house.turns[0]?.watch.abort).toMatchObject({ aborted: true, reason: 'drain' });
    expect(drained).toBe(false);
    house.turns[0]?.end();
    await draining;
  });

  it('of an idle queue is over at once', async () => {
    const house = makeQueueHouse();
    house.queue.start();
    await house.settle();
    await house.queue.drain(8_000);
    expect(house.clock.pending()).toBe(0);
  });
});
