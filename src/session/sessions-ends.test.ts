import { describe, expect, it } from 'vitest';
import { makeSessionHouse } from '../../test/fixtures/memory-sessions.ts';
import type { ConversationKey } from '../base/terms.ts';

const lobby = 'builtin:lobby:helper' as ConversationKey;
const kitchen = 'builtin:kitchen:helper' as ConversationKey;

describe('an agent that does not end', () => {
  it('is told in the log, and stops nothing else', async () => {
    const house = makeSessionHouse({ stateless: true });
    house.failCloses();
    expect((await house.turn(lobby)).tier).toBe('cold');
    await house.clock.advance(0);
    expect(house.sessions.live()).toEqual([]);
  });
});

describe('forget', () => {
  it('ends the process, deletes record, transcript and workspace, and gives the conversation back', async () => {
    const house = makeSessionHouse();
    const first = await house.turn(lobby);
    house.events.length = 0;
    await house.sessions.forget(lobby);
    expect(first.agent.alive).toBe(false);
    expect(house.transcripts.size).toBe(0);
    expect(house.events).toEqual(['record ends as forgotten', `workspace of ${lobby} deleted`]);
    expect(house.leases.held.size).toBe(0);
    expect(house.sessions.live()).toEqual([]);

    const next = await house.turn(lobby);
    expect(next).toMatchObject({ tier: 'cold', reason: 'first message of this conversation' });
  });

  it('takes the conversation from a running turn, whose process does not come back', async () => {
    const house = makeSessionHouse();
    const running = await house.open(lobby);
    await house.sessions.forget(lobby);
    expect(running.session.agent.alive).toBe(false);
    await running.session.abandon();
    expect(house.sessions.live()).toEqual([]);
    expect((await house.turn(lobby)).tier).toBe('cold');
  });

  it('forgets at once, and not what is said while the process is slow to go', async () => {
    const house = makeSessionHouse();
    const letGo = house.holdCloses();
    await house.turn(lobby);
    house.events.length = 0;
    const forgotten = house.sessions.forget(lobby);
    await house.clock.advance(0);
    expect(house.events).toEqual(['record ends as forgotten']);
    letGo();
    await forgotten;
    expect(house.leases.held.size).toBe(0);
  });

  it('ends the process that was just being resumed ahead of need', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    house.started[0]?.agent.die();
    const goOn = house.holdStarts();
    const rewarmed = house.rewarm(lobby);
    await house.clock.advance(0);
    await house.sessions.forget(lobby);
    goOn();
    expect(await rewarmed).toBe(false);
    expect(house.living()).toEqual([]);
    expect((await house.turn(lobby)).tier).toBe('cold');
  });

  it('leaves other conversations alone', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    await house.turn(kitchen);
    await house.sessions.forget(lobby);
    expect((await house.turn(kitchen)).tier).toBe('hot');
  });
});
