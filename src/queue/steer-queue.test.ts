import { describe, expect, it } from 'vitest';
import { attic, kitchen, lobby, makeQueueHouse } from '../../test/fixtures/queue-house.ts';
import type { Lease } from '../base/terms.ts';

describe('an interrupt', () => {
  it('asks the running turn to end as stopped, and the next message runs as if nothing had been', async () => {
    const house = makeQueueHouse();
    await house.accept(lobby, 'one');
    await house.accept(lobby, 'two');
    expect(house.queue.interrupt(lobby)).toBe(true);
    expect(house.turns[0]?.watch.abort).toMatchObject({ aborted: true, reason: 'stopped' });
    house.turns[0]?.end();
    await house.settle();
    expect(house.texts()).toEqual(['one', 'two']);
    expect(house.turns[1]?.watch.abort.aborted).toBe(false);
  });

  it('says why it was asked, where the room is told by a command', async () => {
    const house = makeQueueHouse();
    await house.accept(lobby, 'one');
    expect(house.queue.interrupt(lobby, 'stopped-by-command')).toBe(true);
    expect(house.turns[0]?.watch.abort.reason).toBe('stopped-by-command');
  });

  it('is false where no turn runs', async () => {
    const house = makeQueueHouse();
    expect(house.queue.interrupt(lobby)).toBe(false);
    await house.accept(lobby, 'one');
    house.turns[0]?.commit();
    expect(house.queue.interrupt(lobby)).toBe(false);
  });
});

describe('a message that is to interrupt', () => {
  it('asks the running turn to end for it, tells nobody and runs next', async () => {
    const house = makeQueueHouse({}, 'interrupt');
    await house.accept(lobby, 'one');
    expect(house.turns[0]?.watch.abort.aborted).toBe(false);
    await house.accept(lobby, 'two');
    expect(house.turns[0]?.watch.abort).toMatchObject({ aborted: true, reason: 'superseded' });
    expect(house.remarks).toEqual([]);
    house.turns[0]?.end();
    await house.settle();
    expect(house.texts()).toEqual(['one', 'two']);
    expect(house.turns[1]?.watch.abort.aborted).toBe(false);
  });

  it('interrupts nothing that it may still join, and nothing that has committed', async () => {
    const house = makeQueueHouse({}, 'interrupt');
    house.failing.add('claim');
    await house.accept(lobby, 'one');
    await house.accept(lobby, 'two');
    expect(house.turns[0]?.watch.abort.aborted).toBe(false);
    house.turns[0]?.watch.claimed();
    house.turns[0]?.commit();
    await house.accept(lobby, 'three');
    expect(house.turns[0]?.watch.abort.aborted).toBe(false);
  });

  it('interrupts the turn that has not taken it, though it came before that took its messages', async () => {
    const house = makeQueueHouse({}, 'interrupt');
    house.failing.add('claim');
    await house.accept(lobby, 'one');
    await house.accept(lobby, 'two, of somebody else');
    house.turns[0]?.claim();
    await house.settle();
    expect(house.turns[0]?.watch.abort).toMatchObject({ aborted: true, reason: 'superseded' });
    expect(house.remarks).toEqual([]);
  });
});

describe('a held conversation', () => {
  it('begins no turn until it is released, by everybody who holds it', async () => {
    const house = makeQueueHouse();
    const releases = [house.queue.hold(lobby), house.queue.hold(lobby)];
    await house.accept(lobby, 'one');
    await house.accept(kitchen, 'two');
    expect(house.texts()).toEqual(['two']);
    releases[0]?.();
    releases[0]?.();
    await house.settle();
    expect(house.texts()).toEqual(['two']);
    releases[1]?.();
    await house.settle();
    expect(house.texts()).toEqual(['two', 'one']);
  });

  it('ends the turn that runs and no other follows it meanwhile', async () => {
    const house = makeQueueHouse();
    await house.accept(lobby, 'one');
    await house.accept(lobby, 'two');
    const release = house.queue.hold(lobby);
    house.turns[0]?.end();
    await house.queue.idle(lobby);
    await house.settle();
    expect(house.texts()).toEqual(['one']);
    expect(house.leases.held.size).toBe(0);
    release();
    await house.settle();
    expect(house.texts()).toEqual(['one', 'two']);
  });
});

describe('work between turns', () => {
  it('waits for the running turn, holds the lease, and lets no turn begin beside it', async () => {
    const house = makeQueueHouse();
    await house.accept(lobby, 'one');
    const gate = Promise.withResolvers<string>();
    const leases: Lease[] = [];
    const done = house.queue.runBetween(lobby, (lease) => {
      leases.push(lease);
      return gate.promise;
    });
    await house.accept(lobby, 'two');
    expect(leases).toEqual([]);
    house.turns[0]?.end();
    await house.settle();
    expect(leases).toEqual([house.leases.held.get(lobby)]);
    expect(house.texts()).toEqual(['one']);
    gate.resolve('done');
    expect(await done).toBe('done');
    await house.settle();
    expect(house.texts()).toEqual(['one', 'two']);
  });

  it('needs no message to be run', async () => {
    const house = makeQueueHouse();
    expect(await house.queue.runBetween(lobby, async () => 7)).toBe(7);
    await house.settle();
    expect(house.leases.held.size).toBe(0);
    expect(house.clock.pending()).toBe(0);
  });

  it('helps nobody: whoever writes meanwhile is told nothing, and answered after it', async () => {
    const house = makeQueueHouse();
    const gate = Promise.withResolvers<void>();
    const done = house.queue.runBetween(lobby, () => gate.promise);
    await house.accept(lobby, 'one');
    await house.settle();
    await house.accept(lobby, 'two');
    expect(house.remarks).toEqual([]);
    gate.resolve();
    await done;
    await house.settle();
    expect(house.texts()).toEqual(['one']);
  });

  it('that fails fails whoever asked for it, and no turn', async () => {
    const house = makeQueueHouse();
    const failing = house.queue.runBetween(lobby, () => Promise.reject(new Error('a bug')));
    const failed = expect(failing).rejects.toThrow('a bug');
    await house.accept(lobby, 'one');
    await failed;
    await house.settle();
    expect(house.texts()).toEqual(['one']);
  });

  it('is not run twice at once, without the lease, or in a drain', async () => {
    const house = makeQueueHouse();
    await house.accept(lobby, 'one');
    const first = house.queue.runBetween(lobby, async () => 1);
    expect(await house.queue.runBetween(lobby, async () => 2)).toBeNull();
    await house.leases.acquire(kitchen);
    expect(await house.queue.runBetween(kitchen, async () => 3)).toBeNull();
    const drained = house.queue.drain(1_000);
    expect(await first).toBeNull();
    expect(await house.queue.runBetween(attic, async () => 4)).toBeNull();
    house.turns[0]?.end();
    await drained;
  });
});
