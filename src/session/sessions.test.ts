import { describe, expect, it } from 'vitest';
import { HOUR, helper, makeSessionHouse } from '../../test/fixtures/memory-sessions.ts';
import type { ConversationKey } from '../base/terms.ts';

const lobby = 'builtin:lobby:helper' as ConversationKey;
const kitchen = 'builtin:kitchen:helper' as ConversationKey;
const attic = 'builtin:attic:helper' as ConversationKey;
const states = (house: ReturnType<typeof makeSessionHouse>) => house.records.all.map(({ state }) => state);

describe('the first turn of a conversation', () => {
  it('starts cold, with its record on disk before its process starts', async () => {
    const house = makeSessionHouse();
    const { session } = await house.open(lobby);
    expect(session).toMatchObject({ tier: 'cold', start: 'new' });
    expect(house.events).toEqual(['record begins as provisional', 'start new']);
    const [record] = house.records.all;
    expect(record).toMatchObject({ conversation: lobby, sessionId: session.sessionId, settledEntry: null });
  });

  it('gives the process its session and its folder', async () => {
    const house = makeSessionHouse();
    const { session } = await house.open(lobby);
    expect(house.started[0]?.request).toMatchObject({
      conversation: lobby,
      transcript: { kind: 'new', sessionId: session.sessionId },
      workspace: `/workspaces/${lobby}`,
    });
  });

  it('that did not settle never happened: its process is ended and the next one is cold under a new id', async () => {
    const house = makeSessionHouse();
    const first = await house.open(lobby);
    await first.session.abandon();
    await house.leases.release(first.lease);
    expect(house.living()).toEqual([]);

    const { session } = await house.open(lobby);
    expect(session.tier).toBe('cold');
    expect(session.sessionId).not.toBe(first.session.sessionId);
    expect(states(house)).toEqual(['lost', 'provisional']);
  });

  it('whose process does not start leaves a record and no process', async () => {
    const house = makeSessionHouse();
    house.failStarts('failed');
    await expect(house.open(lobby)).rejects.toThrow('did not start');
    expect(states(house)).toEqual(['provisional']);
    expect(house.sessions.live()).toEqual([]);
  });

  it('is tried once when the process says that there is nothing to resume', async () => {
    const house = makeSessionHouse();
    house.failStarts('no-transcript', 'no-transcript');
    await expect(house.open(lobby)).rejects.toThrow('did not start');
    expect(house.events.filter((event) => event.startsWith('start'))).toHaveLength(1);
  });
});

describe('the next turn of a conversation', () => {
  it('is hot: the process that was kept serves it', async () => {
    const house = makeSessionHouse();
    const first = await house.turn(lobby);
    const second = await house.turn(lobby);
    expect(second).toMatchObject({ tier: 'hot', start: 'reused', sessionId: first.sessionId });
    expect(second.agent).toBe(first.agent);
    expect(house.started).toHaveLength(1);
  });

  it('is warm when its process died: resumed at the settled entry', async () => {
    const house = makeSessionHouse();
    const first = await house.turn(lobby);
    house.started[0]?.agent.die();
    const { session } = await house.open(lobby);
    expect(session).toMatchObject({ tier: 'warm', start: 'resumed', reason: 'its process died' });
    expect(house.started[1]?.request.transcript).toEqual({
      kind: 'resume',
      sessionId: first.sessionId,
      at: house.records.all[0]?.settledEntry,
    });
  });

  it('is warm when its process died after it was planned', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    const lease = await house.leases.seize(lobby);
    const plan = await house.sessions.plan(lease, helper);
    expect(plan.tier).toBe('hot');
    house.started[0]?.agent.die();
    expect(await house.sessions.open(plan)).toMatchObject({ tier: 'warm', start: 'resumed' });
  });

  it('is warm after a turn that did not settle, without what that turn left behind', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    const settledEntry = house.records.all[0]?.settledEntry;
    const dropped = await house.open(lobby);
    await dropped.session.abandon();
    await house.leases.release(dropped.lease);
    const next = await house.open(lobby);
    expect(next.session.tier).toBe('warm');
    expect(house.started[1]?.request.transcript).toMatchObject({ kind: 'resume', at: settledEntry });
  });

  it('is cold after its time to live, and the old process and record end', async () => {
    const house = makeSessionHouse();
    const first = await house.turn(lobby);
    await house.clock.advance(24 * HOUR + 1);
    const { session } = await house.open(lobby);
    expect(session).toMatchObject({ tier: 'cold', start: 'new' });
    expect(session.sessionId).not.toBe(first.sessionId);
    expect(first.agent.alive).toBe(false);
    expect(states(house)).toEqual(['expired', 'provisional']);
  });

  it('is hot for ever where nothing expires', async () => {
    const house = makeSessionHouse();
    const bot = { ...helper, sessionTtlMs: null };
    await house.turn(lobby, bot);
    await house.clock.advance(1_000 * HOUR);
    expect((await house.turn(lobby, bot)).tier).toBe('hot');
  });

  it('is cold when its transcript is gone, and the record ends as lost', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    house.started[0]?.agent.die();
    house.transcripts.clear();
    expect((await house.open(lobby)).session.tier).toBe('cold');
    expect(states(house)).toEqual(['lost', 'provisional']);
  });

  it('is cold when only the process finds that there is nothing to resume, in the same turn', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    house.started[0]?.agent.die();
    house.failStarts('no-transcript');
    expect((await house.open(lobby)).session).toMatchObject({ tier: 'cold', start: 'new' });
    expect(states(house)).toEqual(['lost', 'provisional']);
    expect(house.events.filter((event) => event.startsWith('start'))).toEqual([
      'start new',
      'start resume',
      'start new',
    ]);
  });

  it('is resumed a second time in the same turn when its process does not start', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    house.started[0]?.agent.die();
    house.failStarts('failed');
    expect((await house.turn(lobby)).tier).toBe('warm');
    expect(states(house)).toEqual(['active']);
  });

  it('is kept when the system starts no process at all', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    house.started[0]?.agent.die();
    house.failStarts('no-process', 'no-process', 'no-process');
    for (const _ of [1, 2, 3])
      await expect(house.open(lobby)).rejects.toMatchObject({ reason: 'no-process' });
    expect((await house.turn(lobby)).tier).toBe('warm');
    expect(states(house)).toEqual(['active']);
  });

  it('is cold in the same turn when it failed twice to resume, with a recap of what was said', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    house.started[0]?.agent.die();
    house.failStarts('failed', 'failed');
    expect(await house.turn(lobby)).toMatchObject({ tier: 'cold', reason: 'its session failed twice' });
    expect(states(house)).toEqual(['quarantined', 'active']);
  });

  it('is cold when it was to blame twice in a row that its turns did not settle', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    for (const _attempt of [1, 2]) {
      const { session, lease } = await house.open(lobby);
      await session.abandon('session-failed');
      await house.leases.release(lease);
    }
    const plan = await house.plan(lobby);
    expect(plan).toMatchObject({ tier: 'cold', ends: 'quarantined' });
    expect(plan.recap).toEqual([{ author: 'David', text: 'My colour is blue.' }]);
  });

  it('is cold when resuming is switched off and the process is gone', async () => {
    const house = makeSessionHouse({ resume: false });
    await house.turn(lobby);
    house.started[0]?.agent.die();
    expect((await house.turn(lobby)).tier).toBe('cold');
  });

  it('is warm with the new settings when its bot was changed, and the old process ends', async () => {
    const house = makeSessionHouse();
    const first = await house.turn(lobby);
    const changed = { ...helper, systemPrompt: 'You help in verse.' };
    const second = await house.turn(lobby, changed);
    expect(second).toMatchObject({ tier: 'warm', start: 'resumed', sessionId: first.sessionId });
    expect(first.agent.alive).toBe(false);
    expect(house.started[1]?.request.spec.systemPrompt).toContain('You help in verse.');
    expect((await house.turn(lobby, changed)).tier).toBe('hot');
  });
});

describe('a plan', () => {
  it('starts nothing and writes nothing', async () => {
    const house = makeSessionHouse();
    expect(await house.plan(lobby)).toMatchObject({ tier: 'cold', record: null, tail: { kind: 'empty' } });
    expect(house.events).toEqual([]);
  });

  it('tells what a dropped turn left in the transcript', async () => {
    const house = makeSessionHouse();
    const { sessionId } = await house.turn(lobby);
    house.started[0]?.agent.die();
    const content = [{ type: 'tool_use', name: 'Write' }];
    house.transcripts
      .get(sessionId)
      ?.push(
        { type: 'user', uuid: 'p1', message: { content: 'hi' } },
        { type: 'assistant', uuid: 'a1', message: { content } },
      );
    expect((await house.plan(lobby)).tail).toMatchObject({
      kind: 'unfinished',
      promptIds: ['p1'],
      toolCalls: ['Write'],
    });
  });
});

describe('room for processes', () => {
  it('is made by the least recently used idle one', async () => {
    const house = makeSessionHouse({ mostLive: 2 });
    for (const conversation of [lobby, kitchen, lobby]) {
      await house.turn(conversation);
      await house.clock.advance(1);
    }
    await house.turn(attic);
    expect(house.sessions.live().map(({ record }) => record.conversation)).toEqual([lobby, attic]);
    expect((await house.turn(kitchen)).tier).toBe('warm');
  });

  it('is never made by one that runs a turn', async () => {
    const house = makeSessionHouse({ mostLive: 2 });
    const busy = await house.open(lobby);
    await house.clock.advance(1);
    await house.turn(kitchen);
    await house.clock.advance(1);
    await house.turn(attic);
    expect(busy.session.agent.alive).toBe(true);
    expect(house.sessions.live().map(({ record, busy }) => [record.conversation, busy])).toEqual([
      [lobby, true],
      [attic, false],
    ]);
  });

  it('is kept for those that are just starting', async () => {
    const house = makeSessionHouse({ mostLive: 2 });
    const cellar = 'builtin:cellar:helper' as ConversationKey;
    await house.turn(lobby);
    await house.turn(kitchen);
    const startThem = house.holdStarts();
    const opened = Promise.all([house.open(attic), house.open(cellar)]);
    await house.clock.advance(0);
    startThem();
    await opened;
    expect(house.sessions.live().map(({ record }) => record.conversation)).toEqual([attic, cellar]);
  });
});

describe('a conversation never has two processes', () => {
  it('when its old one is still going while the next turn comes', async () => {
    const house = makeSessionHouse({ stateless: true });
    const letGo = house.holdCloses();
    await house.turn(lobby);
    const next = house.open(lobby);
    await house.clock.advance(0);
    expect(house.started).toHaveLength(1);
    letGo();
    expect((await next).session.tier).toBe('warm');
    expect(house.started).toHaveLength(2);
  });

  it('when it was evicted and writes again at once', async () => {
    const house = makeSessionHouse({ mostLive: 1 });
    const letGo = house.holdCloses();
    await house.turn(lobby);
    const other = house.turn(kitchen);
    await house.clock.advance(0);
    const next = house.open(lobby);
    await house.clock.advance(0);
    expect(house.started).toHaveLength(1);
    letGo();
    await other;
    await house.clock.advance(1_000);
    expect((await next).session.tier).toBe('warm');
    expect(house.living()).toHaveLength(1);
  });
});

describe('stateless mode', () => {
  it('closes each process after its turn and resumes it for the next', async () => {
    const house = makeSessionHouse({ stateless: true });
    const first = await house.turn(lobby);
    expect(first.agent.alive).toBe(false);
    expect(house.sessions.live()).toEqual([]);
    expect(await house.turn(lobby)).toMatchObject({
      tier: 'warm',
      start: 'resumed',
      sessionId: first.sessionId,
    });
  });
});

describe('the sweep', () => {
  it('ends processes idle for longer than their time to live, and no other', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    await house.turn(attic, { ...helper, sessionTtlMs: null });
    const busy = await house.open(kitchen);
    await house.clock.advance(24 * HOUR);
    await house.sessions.sweep();
    expect(house.living()).toHaveLength(3);
    await house.clock.advance(1);
    await house.sessions.sweep();
    expect(house.living().map(({ request }) => request.conversation)).toEqual([attic, kitchen]);
    expect(busy.session.agent.alive).toBe(true);
  });
});

describe('the end of the server', () => {
  it('closes every process and keeps every session', async () => {
    const house = makeSessionHouse();
    await house.turn(lobby);
    await house.turn(kitchen);
    await house.sessions.closeAll();
    expect(house.living()).toEqual([]);
    expect(states(house)).toEqual(['active', 'active']);
    expect((await house.turn(lobby)).tier).toBe('warm');
  });
});
