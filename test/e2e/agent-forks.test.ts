import { describe, expect, it } from 'vitest';
import { newEntryId, newSessionId } from '../../src/base/ids.ts';
import type { EntryId, Fence, SessionId } from '../../src/base/terms.ts';
import { answerTo, lastEntryOf, makeWorld, type RunTurn, say, type World } from './agent-world.ts';

const FENCE = 1 as Fence;

/** A session of two turns, at rest; the second used a tool. */
async function makeParent(world: World): Promise<{ sessionId: SessionId; turns: readonly RunTurn[] }> {
  const agent = await world.startNew();
  const first = await say(agent, 'my cat is Momo');
  const second = await say(agent, 'use tool Glob with {"pattern":"*"}');
  await agent.close();
  return { sessionId: agent.sessionId, turns: [first, second] };
}

const forkOf = (from: SessionId, at: EntryId) => {
  return { kind: 'fork', sessionId: newSessionId(), from, at } as const;
};
const last = (turns: readonly RunTurn[]) => lastEntryOf(turns.at(-1) as RunTurn);

describe('a fork', () => {
  it('remembers its parent and stands alone after its first turn, with the parent deleted', async () => {
    const world = await makeWorld();
    const { start, transcripts } = world;
    const parent = await makeParent(world);
    const before = structuredClone(transcripts.main(parent.sessionId));
    const request = forkOf(parent.sessionId, last(parent.turns));
    const fork = await start(request);
    expect(fork.start).toBe('resumed');
    const { ended } = await say(fork, 'who is my cat?');
    expect(ended.end).toMatchObject({
      text: expect.stringContaining(
        'message 3 of this conversation.\n\nEarlier in this conversation: 1. “my cat',
      ),
    });
    expect(ended.sessionId).toBe(request.sessionId);
    expect(transcripts.main(parent.sessionId)).toEqual(before);
    const entries = transcripts.main(request.sessionId);
    expect(entries.findLast(({ uuid }) => uuid !== undefined)?.uuid).toBe(ended.lastEntry);
    expect(new Set(entries.map(({ sessionId }) => sessionId))).toEqual(new Set([request.sessionId]));
    await fork.close();

    await transcripts.delete(parent.sessionId);
    const at = ended.lastEntry as EntryId;
    const resumed = await start({ kind: 'resume', sessionId: request.sessionId, at });
    expect(await answerTo(resumed, 'and now?')).toContain('message 4 of this conversation');
    const child = await start(forkOf(request.sessionId, at));
    expect(await answerTo(child, 'and here?')).toContain('3. “who is my cat?”');
  });

  it('knows nothing of what its parent did after the entry that it begins at', async () => {
    const world = await makeWorld();
    const parent = await makeParent(world);
    const at = lastEntryOf(parent.turns[0] as RunTurn);
    const request = forkOf(parent.sessionId, at);
    const fork = await world.start(request);
    expect(await answerTo(fork, 'what did I say?')).toContain('message 2 of this conversation');
    expect(JSON.stringify(world.transcripts.main(request.sessionId))).not.toContain('Glob');
  });

  it('and its siblings go different ways, at once, also while the parent goes on', async () => {
    const world = await makeWorld();
    const parent = await makeParent(world);
    const at = last(parent.turns);
    const others = await Promise.all([
      world.start(forkOf(parent.sessionId, at)),
      world.start(forkOf(parent.sessionId, at)),
      world.start({ kind: 'resume', sessionId: parent.sessionId, at }),
    ]);
    const texts = await Promise.all(others.map((agent, index) => answerTo(agent, `I am number ${index}`)));
    for (const text of texts) expect(text).toContain('message 3 of this conversation');
    const again = await Promise.all(others.map((agent) => answerTo(agent, 'who am I?')));
    for (const [index, text] of again.entries()) expect(text).toContain(`3. “I am number ${index}”`);
  });

  it('works in another directory than its parent', async () => {
    const world = await makeWorld();
    const parent = await makeParent(world);
    const place = { conversation: 'project:x' as never, workspace: `${world.workspace}-elsewhere` };
    const fork = await world.start(forkOf(parent.sessionId, last(parent.turns)), {}, place);
    expect(await answerTo(fork, 'who is my cat?')).toContain('1. “my cat is Momo”');
  });

  it('counts its own turns only, and its parent’s tokens as its context', async () => {
    const world = await makeWorld();
    const parent = await makeParent(world);
    const fork = await world.start(forkOf(parent.sessionId, last(parent.turns)));
    const first = await say(fork, 'one');
    expect(first.ended.cumulative).toEqual(first.ended.usage);
    const asked = parent.turns[0]?.ended.usage.inputTokens ?? 0;
    expect(first.ended.usage.inputTokens).toBeGreaterThan(asked);
    expect(first.ended.usage.inputTokens).toBeLessThan(2 * asked);
    expect(first.ended.contextTokens).toBeGreaterThan(first.ended.usage.inputTokens - 1);
    const second = await say(fork, 'two');
    expect(second.ended.cumulative.inputTokens).toBe(
      first.ended.usage.inputTokens + second.ended.usage.inputTokens,
    );
  });

  it('sends the request that its parent would have sent, so that the provider finds its cache', async () => {
    const world = await makeWorld();
    const parent = await makeParent(world);
    const at = last(parent.turns);
    const [resumed, fork] = [
      await world.start({ kind: 'resume', sessionId: parent.sessionId, at }),
      await world.start(forkOf(parent.sessionId, at)),
    ];
    await say(resumed, 'go on');
    await say(fork, 'go on');
    const [one, other] = world.model.requests().slice(-2);
    expect(other?.messages).toEqual(one?.messages);
    expect(other?.tools).toEqual(one?.tools);
    expect(other?.system).toEqual(one?.system);
  });

  it('without a turn leaves nothing', async () => {
    const world = await makeWorld();
    const parent = await makeParent(world);
    const request = forkOf(parent.sessionId, last(parent.turns));
    const fork = await world.start(request);
    await fork.close();
    expect(await world.transcripts.load(request.sessionId, null)).toBeNull();
    const later = await world.start(request);
    expect(await answerTo(later, 'who is my cat?')).toContain('1. “my cat is Momo”');
  });

  it('whose first turn fails is a fork all the same', async () => {
    const world = await makeWorld({ apiRetries: 0 });
    const parent = await makeParent(world);
    const request = forkOf(parent.sessionId, last(parent.turns));
    const fork = await world.start(request);
    world.model.breakNext({ kind: 'status', status: 529 });
    const failed = await say(fork, 'hello?');
    expect(failed.ended.end.kind).toBe('api-error');
    await fork.close();
    const { sessionId } = request;
    const resumed = await world.start({ kind: 'resume', sessionId, at: lastEntryOf(failed) });
    expect(await answerTo(resumed, 'who is my cat?')).toContain('1. “my cat is Momo”');
  });

  it('of nothing, or at an entry that is not there, ends as no transcript', async () => {
    const world = await makeWorld();
    const parent = await makeParent(world);
    for (const request of [
      forkOf(newSessionId(), last(parent.turns)),
      forkOf(parent.sessionId, newEntryId()),
    ]) {
      const refused = await world.start(request).catch((error: unknown) => error);
      expect(refused).toMatchObject({ name: 'AgentStartFailed', reason: 'no-transcript' });
      expect(await world.transcripts.load(request.sessionId, null)).toBeNull();
    }
    expect(await world.agents.census()).toEqual([]);
  });

  it('writes nothing once its lease is lost', async () => {
    const world = await makeWorld();
    const parent = await makeParent(world);
    const request = forkOf(parent.sessionId, last(parent.turns));
    const fork = await world.start(request);
    world.transcripts.seize(2);
    const { ended } = await say(fork, 'hello');
    expect(ended).toMatchObject({ end: { kind: 'died' }, lastEntry: null });
    expect(await world.transcripts.load(request.sessionId, null)).toBeNull();
  });
});

describe('compacting and forking', () => {
  it('a fork is compacted before its first turn, and stands alone', async () => {
    const world = await makeWorld();
    const parent = await makeParent(world);
    const before = structuredClone(world.transcripts.main(parent.sessionId));
    const request = forkOf(parent.sessionId, last(parent.turns));
    const fork = await world.start(request);
    const compaction = await fork.compact(FENCE);
    expect(compaction).toMatchObject({ kind: 'compacted', sessionId: request.sessionId });
    expect(compaction.usage.costUsd).toBeGreaterThan(0);
    const { ended } = await say(fork, 'who is my cat?');
    expect(ended.end).toMatchObject({ text: expect.stringContaining('1. “my cat is Momo”') });
    expect(world.transcripts.main(parent.sessionId)).toEqual(before);
    await fork.close();

    await world.transcripts.delete(parent.sessionId);
    const at = compaction.lastEntry as EntryId;
    const resumed = await world.start({ kind: 'resume', sessionId: request.sessionId, at });
    expect(await answerTo(resumed, 'who is my cat?')).toContain('1. “my cat is Momo”');
  });

  it('a fork is compacted after its turns', async () => {
    const world = await makeWorld();
    const parent = await makeParent(world);
    const fork = await world.start(forkOf(parent.sessionId, last(parent.turns)));
    await say(fork, 'my dog is Rex');
    expect(await fork.compact(FENCE)).toMatchObject({ kind: 'compacted' });
    const text = await answerTo(fork, 'who are my animals?');
    expect(text).toMatch(/1\. “my cat is Momo”.*“my dog is Rex”/);
  });

  it('a compacted session is forked, after its compaction or behind it', async () => {
    const world = await makeWorld();
    const agent = await world.startNew();
    const first = await say(agent, 'my cat is Momo');
    await say(agent, 'my dog is Rex');
    const compaction = await agent.compact(FENCE);
    const after = await say(agent, 'my bird is Pip');
    await agent.close();
    const texts = [];
    for (const at of [lastEntryOf(first), compaction.lastEntry as EntryId, lastEntryOf(after)]) {
      const request = forkOf(agent.sessionId, at);
      const fork = await world.start(request);
      const turn = await say(fork, 'who?');
      await fork.close();
      // What it wrote is enough for another process.
      const { sessionId } = request;
      const resumed = await world.start({ kind: 'resume', sessionId, at: lastEntryOf(turn) });
      texts.push(await answerTo(resumed, 'who are my animals?'));
      await resumed.close();
    }
    const told = texts.map((text) => /Earlier in this conversation: (.*)/.exec(text)?.[1]);
    expect(told).toEqual([
      '1. “my cat is Momo” 2. “who?”',
      '1. “my cat is Momo” 2. “my dog is Rex” 3. “who?”',
      '1. “my cat is Momo” 2. “my dog is Rex” 3. “my bird is Pip” 4. “who?”',
    ]);
  });
});
