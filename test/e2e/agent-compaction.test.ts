import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EntryId, Fence } from '../../src/base/terms.ts';
import { answerTo, lastEntryOf, makeWorld, say } from './agent-world.ts';

const FENCE = 1 as Fence;

describe('a compaction', () => {
  it('leaves a shorter memory, counted and stored, with which the next turn goes on', async () => {
    const { startNew, transcripts } = await makeWorld();
    const agent = await startNew();
    await say(agent, 'my cat is Momo');
    const { ended: before } = await say(agent, 'my dog is Rex');
    const compaction = await agent.compact(FENCE);
    expect(compaction).toMatchObject({ kind: 'compacted', sessionId: agent.sessionId });
    expect(compaction.usage.inputTokens).toBeGreaterThan(0);
    expect(compaction.usage.costUsd).toBeGreaterThan(0);
    expect(compaction.tokens?.after).toBeLessThan(compaction.tokens?.before ?? 0);
    const stored = transcripts.main(agent.sessionId);
    expect(stored.findLast(({ uuid }) => uuid !== undefined)?.uuid).toBe(compaction.lastEntry);

    const { ended } = await say(agent, 'who are my animals?');
    expect(ended.end).toMatchObject({
      text: expect.stringContaining('1. “my cat is Momo” 2. “my dog is Rex”'),
    });
    expect(ended.sessionId).toBe(compaction.sessionId);
    expect(ended.cumulative.inputTokens).toBe(
      before.cumulative.inputTokens + compaction.usage.inputTokens + ended.usage.inputTokens,
    );
  });

  it('is what a resume goes on from', async () => {
    const { startNew, start } = await makeWorld();
    const first = await startNew();
    await say(first, 'my cat is Momo');
    const { sessionId, lastEntry } = await first.compact(FENCE);
    await say(first, 'never settled');
    await first.close();

    const second = await start({ kind: 'resume', sessionId, at: lastEntry as EntryId });
    const resumed = await say(second, 'who is my cat?');
    expect(resumed.ended.end).toMatchObject({
      text: expect.stringContaining(
        'message 2 of this conversation.\n\nEarlier in this conversation: 1. “my cat',
      ),
    });
    expect(await answerTo(second, 'and now?')).toContain('message 3 of this conversation');
  });

  it('that was never settled never happened, then or later', async () => {
    const { startNew, start } = await makeWorld();
    const first = await startNew();
    await say(first, 'my cat is Momo');
    const settled = await say(first, 'my dog is Rex');
    const { sessionId } = await first.compact(FENCE);
    await say(first, 'never settled');
    await first.close();

    const second = await start({ kind: 'resume', sessionId, at: lastEntryOf(settled) });
    const repeated = await say(second, 'who are my animals?');
    const both =
      'message 3 of this conversation.\n\nEarlier in this conversation: 1. “my cat is Momo” 2. “my dog is Rex”';
    expect(repeated.ended.end).toMatchObject({ text: expect.stringContaining(both) });
    await second.close();
    const third = await start({ kind: 'resume', sessionId, at: lastEntryOf(repeated) });
    expect(await answerTo(third, 'and now?')).toContain('message 4 of this conversation');
  });

  it('of a compacted session works as the first one did', async () => {
    const { startNew } = await makeWorld();
    const agent = await startNew();
    for (const text of ['one', 'two', 'three']) {
      await answerTo(agent, text);
      expect(await agent.compact(FENCE)).toMatchObject({ kind: 'compacted' });
    }
    expect(await answerTo(agent, 'what did I say?')).toContain('1. “one” 2. “two” 3. “three”');
  });

  it.each([
    ['the endpoint fails', { kind: 'status', status: 529 }],
    ['the connection drops', { kind: 'drop' }],
  ] as const)(
    'that fails because %s closes the agent, and the session goes on as it was',
    async (_why, breakage) => {
      const { startNew, start, model, dataDir, registry } = await makeWorld({ apiRetries: 0 });
      const agent = await startNew();
      const turn = await say(agent, 'my cat is Momo');
      model.breakNext(breakage, 10);
      expect(await agent.compact(FENCE)).toMatchObject({ kind: 'failed', lastEntry: null, tokens: null });
      expect(agent.alive).toBe(false);
      expect(readdirSync(join(dataDir, 'agents'))).toEqual([]);
      expect(registry.running.size).toBe(0);
      model.mend();
      const resumed = await start({ kind: 'resume', sessionId: agent.sessionId, at: lastEntryOf(turn) });
      expect(await answerTo(resumed, 'who is my cat?')).toContain('1. “my cat is Momo”');
    },
  );

  it('that leaves less than half of a turn’s budget closes its agent', async () => {
    const { startNew, start } = await makeWorld();
    const usual = await startNew();
    const { ended } = await say(usual, 'my cat is Momo');
    const { usage } = await usual.compact(FENCE);
    const budget = { maxBudgetUsd: ended.usage.costUsd + usage.costUsd };
    const frugal = await startNew(budget);
    await say(frugal, 'my cat is Momo');
    expect(frugal.alive).toBe(true);
    const { kind, lastEntry } = await frugal.compact(FENCE);
    expect([kind, frugal.alive]).toEqual(['compacted', false]);
    const at = lastEntry as EntryId;
    const next = await start({ kind: 'resume', sessionId: frugal.sessionId, at }, budget);
    expect(await answerTo(next, 'who is my cat?')).toContain('“my cat is Momo”');
  });

  it('of a conversation that somebody else holds by now changes nothing', async () => {
    const { startNew, transcripts } = await makeWorld();
    const agent = await startNew();
    await say(agent, 'my cat is Momo');
    const before = transcripts.main(agent.sessionId).length;
    transcripts.seize(2);
    expect(await agent.compact(FENCE)).toMatchObject({ kind: 'failed' });
    expect(agent.alive).toBe(false);
    expect(transcripts.main(agent.sessionId)).toHaveLength(before);
  });

  it('that does not reach the store has failed', async () => {
    const { startNew, transcripts } = await makeWorld();
    const agent = await startNew();
    await say(agent, 'my cat is Momo');
    transcripts.failWith(new Error('the database is away'));
    expect(await agent.compact(FENCE)).toMatchObject({ kind: 'failed', lastEntry: null });
    expect(agent.alive).toBe(false);
  });

  it('that takes too long has failed', async () => {
    const { startNew, model } = await makeWorld({ compactionLimitMs: 50 });
    const agent = await startNew();
    await say(agent, 'my cat is Momo');
    model.breakNext({ kind: 'silent' });
    expect(await agent.compact(FENCE)).toMatchObject({ kind: 'failed' });
    expect(agent.alive).toBe(false);
  });

  it('of a process that is gone, or goes, has failed', async () => {
    const { startNew, model } = await makeWorld();
    const agent = await startNew();
    await say(agent, 'my cat is Momo');
    model.breakNext({ kind: 'silent' });
    const compacting = agent.compact(FENCE);
    while (model.requests().length < 2) await new Promise(setImmediate);
    process.kill(agent.pid, 'SIGKILL');
    expect(await compacting).toMatchObject({ kind: 'failed' });
    expect(await agent.compact(FENCE)).toMatchObject({ kind: 'failed', sessionId: agent.sessionId });
  });
});
