import { describe, expect, it } from 'vitest';
import { makeSessionHouse } from '../../test/fixtures/memory-sessions.ts';
import type { ConversationKey } from '../base/terms.ts';

const lobby = 'builtin:lobby:helper' as ConversationKey;
const kitchen = 'builtin:kitchen:helper' as ConversationKey;

describe('the budget', () => {
  it('lets a start wait while everybody else is in a turn', async () => {
    const house = makeSessionHouse({ budgetMb: 150 });
    const first = await house.open(lobby);
    const second = house.open(kitchen);
    await house.clock.advance(1_000);
    expect(house.started).toHaveLength(1);
    await house.settle(first);
    await house.clock.advance(1_000);
    await second;
    expect(house.living().map(({ request }) => request.conversation)).toEqual([kitchen]);
  });
});

describe('rewarming', () => {
  it('resumes a conversation ahead of its next message, whose turn is then warm and rewarmed', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    house.started[0]?.agent.die();
    await house.sessions.sweep();
    expect(await house.rewarm(lobby)).toBe(true);
    expect(await house.turn(lobby)).toMatchObject({ tier: 'warm', start: 'rewarmed' });
    expect(await house.turn(lobby)).toMatchObject({ tier: 'hot', start: 'reused' });
  });

  it('resumes a conversation whose process died a moment ago', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    house.started[0]?.agent.die();
    expect(await house.rewarm(lobby)).toBe(true);
    expect(await house.turn(lobby)).toMatchObject({ tier: 'warm', start: 'rewarmed' });
  });

  it('starts no second process', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    expect(await house.rewarm(lobby)).toBe(false);
    expect(house.started).toHaveLength(1);
  });

  it('takes nobody else its room', async () => {
    const house = makeSessionHouse({ mostLive: 1 });
    await house.turn(lobby);
    await house.turn(kitchen);
    expect(await house.rewarm(lobby)).toBe(false);
    expect(house.living().map(({ request }) => request.conversation)).toEqual([kitchen]);
  });
});

describe('compacting', () => {
  it('goes on from where the compaction ended, on the same process', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    expect(await house.compact(lobby)).toBe('compacted');
    expect(await house.turn(lobby)).toMatchObject({ tier: 'hot' });
  });

  it('leaves no process where none outlives its turn', async () => {
    const house = makeSessionHouse({ stateless: true });
    await house.turn(lobby);
    expect(await house.rewarm(lobby)).toBe(true);
    expect(await house.compact(lobby)).toBe('compacted');
    expect(house.living()).toEqual([]);
  });

  it('that cannot be booked leaves no process that nobody may end', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    house.failBookings();
    await expect(house.compact(lobby)).rejects.toThrow('the database is gone');
    expect(house.living()).toEqual([]);
    expect(await house.turn(lobby)).toMatchObject({ tier: 'warm' });
  });

  it('needs a live process that runs no turn', async () => {
    const house = makeSessionHouse();
    expect(await house.compact(lobby)).toBe('not-live');
  });
});
