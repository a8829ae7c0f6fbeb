import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TranscriptEntry } from '../../src/agent/agent.ts';
import { answerTo, lastEntryOf, makeWorld, say, type World } from './agent-world.ts';

/** The system prompt, the tools and the messages of a request, without cache marks: what a provider caches by. */
function prefixOf(request: ReturnType<World['model']['requests']>[number]) {
  const messages = request.messages.map((message) => ({
    ...message,
    content:
      typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : message.content,
  }));
  return unmark({ system: request.system, tools: request.tools, messages });
}

function unmark(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, field) => (key === 'cache_control' ? undefined : field)));
}

type Prefix = { readonly system: unknown; readonly tools: unknown; readonly messages: readonly unknown[] };

describe('a resumed agent', () => {
  it('remembers from the store alone, in a home of its own', async () => {
    const { startNew, start, dataDir } = await makeWorld();
    const first = await startNew();
    const turn = await say(first, 'my cat is Momo');
    await first.close();
    await rm(join(dataDir, 'agents'), { recursive: true });

    const resumes = () => readdirSync(tmpdir()).filter((name) => name.startsWith('claude-resume-'));
    const before = resumes();
    const second = await start({ kind: 'resume', sessionId: first.sessionId, at: lastEntryOf(turn) });
    expect(second).toMatchObject({ start: 'resumed', alive: true });
    expect(resumes()).toEqual(before);
    const { ended } = await say(second, 'who is my cat?');
    expect(ended.end).toMatchObject({ text: expect.stringContaining('1. “my cat is Momo”') });
    expect(ended.sessionId).toBe(first.sessionId);
  });

  it('knows nothing of what came after the entry that it goes back to', async () => {
    const { startNew, start } = await makeWorld();
    const first = await startNew();
    const settled = await say(first, 'my cat is Momo');
    await say(first, 'my dog is Rex');
    await first.close();
    const second = await start({ kind: 'resume', sessionId: first.sessionId, at: lastEntryOf(settled) });
    const third = await say(second, 'who are my animals?');
    expect(third.ended.end).toMatchObject({
      text: expect.stringContaining('message 2 of this conversation'),
    });
    expect(third.ended.end).not.toMatchObject({ text: expect.stringContaining('Rex') });

    // What was said since stays the way back: the dropped tail never comes up again.
    await second.close();
    const again = await start({ kind: 'resume', sessionId: first.sessionId, at: lastEntryOf(third) });
    const text = await answerTo(again, 'and now?');
    expect(text).toContain('1. “my cat is Momo” 2. “who are my animals?”');
  });

  it('goes back to any kind of end: a limit, an interrupt, a failed endpoint', async () => {
    const { startNew, start, model } = await makeWorld({ apiRetries: 0 });
    const first = await startNew({ maxSteps: 1 });
    const limit = await say(first, 'use tool Glob with {"pattern":"*"} 3 times');
    model.breakNext({ kind: 'status', status: 529 });
    const failed = await say(first, 'hello?');
    model.breakNext({ kind: 'silent' });
    const silent = say(first, 'anybody?');
    await first.interrupt();
    const ends = [limit, failed, await silent];
    expect(ends.map(({ ended }) => ended.end.kind)).toEqual(['limit', 'api-error', 'interrupted']);
    model.mend();
    await first.close();
    for (const [index, turn] of ends.entries()) {
      const agent = await start({ kind: 'resume', sessionId: first.sessionId, at: lastEntryOf(turn) });
      expect(await answerTo(agent, 'go on')).toContain(`message ${index + 2} of this conversation`);
      await agent.close();
    }
  });

  it('sends the request that a hot one would have sent, so that the provider finds its cache', async () => {
    const { startNew, start, model } = await makeWorld();
    const first = await startNew();
    await say(first, 'one');
    await say(first, 'use tool Glob with {"pattern":"*"}');
    const last = await say(first, 'three');
    await first.close();
    const second = await start({ kind: 'resume', sessionId: first.sessionId, at: lastEntryOf(last) });
    await say(second, 'four');
    await say(second, 'five');

    const prefixes = model.requests().map((request) => prefixOf(request) as Prefix);
    expect(prefixes).toHaveLength(6);
    for (const [index, later] of prefixes.slice(1).entries()) {
      const earlier = prefixes[index] as Prefix;
      expect(later.system).toEqual(earlier.system);
      expect(later.tools).toEqual(earlier.tools);
      expect(later.messages.slice(0, earlier.messages.length)).toEqual(earlier.messages);
    }
  });

  it('takes an edited prompt', async () => {
    const { startNew, start, model } = await makeWorld();
    const first = await startNew();
    const turn = await say(first, 'one');
    await first.close();
    const resume = { kind: 'resume', sessionId: first.sessionId, at: lastEntryOf(turn) } as const;
    const second = await start(resume, { systemPrompt: 'You are another bot.' });
    expect(await answerTo(second, 'two')).toContain('1. “one”');
    const system = model.requests().map((request) => JSON.stringify(request.system));
    expect(system[0]).toContain('You are a bot.');
    expect(system[1]).toContain('You are another bot.');
    expect(system[1]).not.toContain('You are a bot.');
  });

  it('counts its own turns only, not what an earlier process saved', async () => {
    const { startNew, start, transcripts } = await makeWorld();
    const first = await startNew();
    const turn = await say(first, 'one');
    await first.close();
    // What a process of another origin saved when it ended.
    const saved: TranscriptEntry = {
      type: 'cost-state',
      sessionId: first.sessionId,
      totalCostUSD: 5,
      totalAPIDuration: 1,
      totalAPIDurationWithoutRetries: 1,
      totalToolDuration: 0,
      totalLinesAdded: 0,
      totalLinesRemoved: 0,
      totalDuration: 1,
      startTime: 1_790_000_000_000,
      modelUsage: {
        'claude-opus-5-5': {
          inputTokens: 1_000_000,
          outputTokens: 7,
          thinkingTokens: 0,
          cacheReadInputTokens: 0,
          cacheCreationInputTokens: 0,
          cacheCreationEphemeral5mInputTokens: 0,
          cacheCreationEphemeral1hInputTokens: 0,
          webSearchRequests: 0,
          costUSD: 5,
        },
      },
      hasUnknownModelCost: false,
    };
    const owner = { conversation: 'builtin:1:bot' as never, fence: 1 as never };
    await transcripts.append(owner, first.sessionId, null, [saved]);
    const second = await start({ kind: 'resume', sessionId: first.sessionId, at: lastEntryOf(turn) });
    const { ended } = await say(second, 'two');
    expect(ended.usage.costUsd).toBeLessThan(1);
    expect(ended.usage.costUsd).toBeGreaterThan(0);
    expect(ended.cumulative).toEqual(ended.usage);
  });
});

describe('the transcript of a turn', () => {
  it('is in the store when the turn has ended, whole', async () => {
    const { startNew, transcripts } = await makeWorld();
    const agent = await startNew();
    const { ended } = await say(agent, 'use tool Glob with {"pattern":"*"}');
    const types = transcripts
      .main(agent.sessionId)
      .flatMap(({ type }) => (type === 'user' || type === 'assistant' ? [type] : []));
    expect(types).toEqual(['user', 'assistant', 'assistant', 'user', 'assistant']);
    expect(transcripts.main(agent.sessionId).findLast(({ uuid }) => uuid !== undefined)?.uuid).toBe(
      ended.lastEntry,
    );
  });

  it('is refused once the lease is lost, and the agent ends', async () => {
    const { startNew, transcripts } = await makeWorld();
    const agent = await startNew();
    await say(agent, 'one');
    const before = transcripts.main(agent.sessionId).length;
    transcripts.seize(2);
    const { ended } = await say(agent, 'two', { fence: 1 });
    expect(ended).toMatchObject({
      end: { kind: 'died', detail: 'the lease of its turn is lost' },
      lastEntry: null,
    });
    expect(agent.alive).toBe(false);
    expect(transcripts.main(agent.sessionId)).toHaveLength(before);
  });

  it('carries the fence of its own turn, and what comes between turns waits for the next one', async () => {
    const { startNew, start, transcripts } = await makeWorld();
    const agent = await startNew();
    for (const fence of [1, 2, 3, 4, 5, 6]) {
      transcripts.seize(fence);
      expect((await say(agent, `turn ${fence}`, { fence })).ended.end.kind).toBe('answered');
    }
    transcripts.seize(7);
    await agent.close();
    const entries = transcripts.main(agent.sessionId);
    const at = entries.findLast(({ uuid }) => uuid !== undefined)?.uuid as never;
    const resumed = await start({ kind: 'resume', sessionId: agent.sessionId, at });
    const { ended } = await say(resumed, 'and now?', { fence: 7 });
    expect(ended.end).toMatchObject({ text: expect.stringContaining('message 7 of this conversation') });
  });

  it('that does not reach the store is a memory at risk, and still an answer', async () => {
    const { startNew, transcripts } = await makeWorld();
    const agent = await startNew();
    transcripts.failWith(new Error('the database is away'));
    const { events, ended } = await say(agent, 'hello');
    expect(events.map(({ kind }) => kind)).toContain('memory-at-risk');
    expect(ended).toMatchObject({ end: { kind: 'answered' }, lastEntry: null });
  });
});
