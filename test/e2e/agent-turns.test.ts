import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { AgentStartFailed } from '../../src/agent/agent.ts';
import { SDK_VERSION } from '../../src/agent/claude/claude.ts';
import { newEntryId, newSessionId } from '../../src/base/ids.ts';
import type { EntryId, Fence } from '../../src/base/terms.ts';
import { answerTo, makeWorld, say } from './agent-world.ts';

describe('a turn of a live agent', () => {
  it('answers a message, streams it, counts it, and remembers it in the next turn', async () => {
    const { startNew, agents, transcripts } = await makeWorld();
    const agent = await startNew();
    expect(agent).toMatchObject({ start: 'new', alive: true });

    const first = await say(agent, '<message from="Ann">my cat is Momo</message>');
    expect(first.ended).toMatchObject({
      end: { kind: 'answered', text: expect.stringContaining('You said: “my cat is Momo”') },
      sessionId: agent.sessionId,
      lastEntry: transcripts.main(agent.sessionId).findLast(({ uuid }) => uuid !== undefined)?.uuid,
    });
    const streamed = first.events
      .flatMap((event) => (event.kind === 'text-delta' ? [event.text] : []))
      .join('');
    expect(first.ended.end).toEqual({ kind: 'answered', text: streamed });
    expect(first.ended.usage).toEqual(first.ended.cumulative);
    expect(first.ended.usage.inputTokens).toBeGreaterThan(0);
    expect(first.ended.usage.costUsd).toBeGreaterThan(0);

    const second = await say(agent, '<message from="Ann">who is my cat?</message>');
    expect(second.ended.end).toMatchObject({ text: expect.stringContaining('1. “my cat is Momo”') });
    expect(second.ended.cumulative.outputTokens).toBe(
      first.ended.usage.outputTokens + second.ended.usage.outputTokens,
    );
    const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens } = second.ended.usage;
    // One request served the turn.
    expect(second.ended.contextTokens).toBe(inputTokens + outputTokens + cacheReadTokens + cacheWriteTokens);
    const [line] = await agents.census();
    expect(line).toMatchObject({ id: agent.id, pid: agent.pid });
    expect(line?.rssMb).toBeGreaterThan(20);
  });

  it('takes what people write as text: no command is run and no mentioned file is read', async () => {
    const { startNew, model } = await makeWorld();
    const agent = await startNew();
    for (const text of ['/compact', '/cost', 'look at @/etc/passwd', '!id'])
      expect(await answerTo(agent, text)).toContain(`You said: “${text}”`);
    expect(model.requests()).toHaveLength(4);
    expect(JSON.stringify(model.requests())).not.toContain('root:');
  });

  it('answers with the text after the last tool, not with the narration before it', async () => {
    const { startNew } = await makeWorld();
    const { events, ended } = await say(await startNew(), 'use tool Glob with {"pattern":"*"}');
    expect(ended.end).toEqual({ kind: 'answered', text: 'The tool Glob answered: No files found' });
    expect(events.filter(({ kind }) => kind.startsWith('tool-'))).toMatchObject([
      { kind: 'tool-started', name: 'Glob' },
      { kind: 'tool-finished', failed: false },
    ]);
  });

  it('ends at its step limit, counted for each turn, with what there is', async () => {
    const { startNew } = await makeWorld();
    const agent = await startNew({ maxSteps: 2 });
    for (let turn = 0; turn < 2; turn++) {
      const { ended } = await say(agent, 'use tool Glob with {"pattern":"*"} 5 times');
      expect(ended.end).toEqual({ kind: 'limit', limit: 'steps', text: 'I will use the tool Glob.' });
    }
    expect(await answerTo(agent, 'still there?')).toContain('You said: “still there?”');
  });

  it('ends at its budget, with what there is, and its agent with it', async () => {
    const { startNew } = await makeWorld();
    const agent = await startNew({ maxBudgetUsd: 0.0001 });
    const { ended } = await say(agent, 'use tool Glob with {"pattern":"*"} 5 times');
    expect(ended.end).toEqual({ kind: 'limit', limit: 'budget', text: 'I will use the tool Glob.' });
    expect(ended.usage.costUsd).toBeGreaterThan(0.0001);
    expect(agent.alive).toBe(false);
  });

  it('leaves at least half of its budget to the next, or closes its agent', async () => {
    const { startNew } = await makeWorld();
    const { ended } = await say(await startNew(), 'hello');
    const frugal = await startNew({ maxBudgetUsd: ended.usage.costUsd * 3 });
    await answerTo(frugal, 'hello');
    expect(frugal.alive).toBe(true);
    await answerTo(frugal, 'hello');
    expect(frugal.alive).toBe(false);
  });

  it('runs one turn at a time', async () => {
    const { startNew } = await makeWorld();
    const agent = await startNew();
    const turn = agent.send({ text: 'one', id: newEntryId(), fence: 1 as Fence })[Symbol.asyncIterator]();
    await turn.next();
    await expect(say(agent, 'two')).rejects.toThrow('one turn at a time');
    await turn.return?.();
  });

  it('ends an agent whose turn nobody listens to any more', async () => {
    const { startNew, dataDir } = await makeWorld();
    const agent = await startNew();
    for await (const _ of agent.send({ text: 'one', id: newEntryId(), fence: 1 as Fence })) break;
    expect(agent.alive).toBe(false);
    await agent.close();
    expect(readdirSync(join(dataDir, 'agents'))).toEqual([]);
  });
});

describe('an endpoint in trouble', () => {
  it.each([529, 429, 500, 401])('is reported for %i, never posted as an answer', async (status) => {
    const { startNew, model } = await makeWorld();
    const agent = await startNew();
    model.breakNext({ kind: 'status', status }, 2);
    const { ended, events } = await say(agent, 'hello');
    expect(ended.end).toMatchObject({ kind: 'api-error', status, retryAfterMs: expect.any(Number) });
    expect(events).toContainEqual({ kind: 'api-retry', attempt: 1, status, delayMs: expect.any(Number) });
    expect(events.some(({ kind }) => kind === 'text-delta')).toBe(false);
    expect(agent.alive).toBe(true);
    expect(await answerTo(agent, 'and now?')).toContain('You said: “and now?”');
  });

  it('is reported without a status when the connection drops', async () => {
    const { startNew, model } = await makeWorld({ apiRetries: 0 });
    model.breakNext({ kind: 'drop' });
    const { ended } = await say(await startNew(), 'hello');
    expect(ended.end).toMatchObject({ kind: 'api-error', status: null });
  });

  it('may stay silent: an interrupt ends the turn and the next one works', async () => {
    const { startNew, model } = await makeWorld();
    const agent = await startNew();
    await answerTo(agent, 'hello');
    model.breakNext({ kind: 'silent' });
    const turn = say(agent, 'anybody there?');
    // At once: the prompt may not have reached the process yet.
    await agent.interrupt();
    expect((await turn).ended.end).toEqual({ kind: 'interrupted', text: '' });
    model.mend();
    expect(await answerTo(agent, 'and now?')).toContain('You said: “and now?”');
  });
});

describe('an interrupt', () => {
  it('keeps what was said by then, and nothing of it reaches the next turn', async () => {
    const { startNew, model } = await makeWorld();
    const agent = await startNew();
    model.setSpeed({ ttftMs: 0, tokensPerSecond: 50 });
    let heard = '';
    const { ended } = await say(agent, 'tell me something long', {
      onEvent(event) {
        if (event.kind !== 'text-delta') return;
        heard += event.text;
        if (heard.length > 40) void agent.interrupt();
      },
    });
    expect(ended.end.kind).toBe('interrupted');
    expect(ended.end.kind === 'interrupted' && ended.end.text).toContain('I am the offline model');
    model.setSpeed({ ttftMs: 0, tokensPerSecond: null });
    expect(await answerTo(agent, 'go on')).toMatch(
      /^I am the offline model: no real model answers here\. You said: “go on”/,
    );
  });

  it('without a turn does nothing', async () => {
    const { startNew } = await makeWorld();
    const agent = await startNew();
    await agent.interrupt();
    expect(await answerTo(agent, 'hello')).toContain('hello');
    await agent.interrupt();
    expect(await answerTo(agent, 'again')).toContain('again');
  });
});

describe('the end of an agent', () => {
  it('in the middle of a turn is an event, and its home goes with it', async () => {
    const { startNew, model, registry, dataDir } = await makeWorld();
    const agent = await startNew();
    model.breakNext({ kind: 'silent' });
    const turn = say(agent, 'hello');
    while (model.requests().length === 0) await new Promise(setImmediate);
    process.kill(agent.pid, 'SIGKILL');
    expect((await turn).ended.end).toMatchObject({
      kind: 'died',
      detail: expect.stringContaining('SIGKILL'),
    });
    expect(agent.alive).toBe(false);
    expect((await say(agent, 'hello?')).ended.end).toMatchObject({ kind: 'died' });
    await agent.close();
    expect(readdirSync(join(dataDir, 'agents'))).toEqual([]);
    expect(registry.running.size).toBe(0);
  });

  it('between turns closes it without anybody asking', async () => {
    const { startNew, agents, dataDir } = await makeWorld();
    const agent = await startNew();
    process.kill(agent.pid, 'SIGKILL');
    while (agent.alive || (await agents.census()).length > 0) await new Promise(setImmediate);
    await agent.close();
    expect(readdirSync(join(dataDir, 'agents'))).toEqual([]);
  });

  it('asked for in the middle of a turn ends the turn', async () => {
    const { startNew, model } = await makeWorld();
    const agent = await startNew();
    model.breakNext({ kind: 'silent' });
    const turn = say(agent, 'hello');
    while (model.requests().length === 0) await new Promise(setImmediate);
    await agent.close();
    expect((await turn).ended.end.kind).toBe('died');
    expect(existsSync(`/proc/${agent.pid}`)).toBe(false);
  });
});

describe('a start', () => {
  it('that cannot work is told apart from a missing transcript, and leaves nothing behind', async () => {
    const { start, dataDir, registry } = await makeWorld();
    const missing = start({ kind: 'resume', sessionId: newSessionId(), at: newEntryId() as EntryId });
    await expect(missing).rejects.toMatchObject({ name: 'AgentStartFailed', reason: 'no-transcript' });
    const broken = await makeWorld({ executable: '/bin/false' });
    const failed = await broken.startNew().catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(AgentStartFailed);
    expect(failed).toMatchObject({ reason: 'failed' });
    const absent = await makeWorld({ executable: '/nowhere/claude' });
    await expect(absent.startNew()).rejects.toMatchObject({ reason: 'no-process' });
    for (const folder of [dataDir, broken.dataDir, absent.dataDir])
      expect(readdirSync(join(folder, 'agents'))).toEqual([]);
    expect(registry.running.size).toBe(0);
  });

  it('is given up after its limit', async () => {
    const { startNew, dataDir } = await makeWorld({ startLimitMs: 1 });
    await expect(startNew()).rejects.toThrow('no answer within 1 ms');
    expect(readdirSync(join(dataDir, 'agents'))).toEqual([]);
  });

  it('is refused once the server stops', async () => {
    const { agents, startNew } = await makeWorld();
    const early = startNew();
    await agents.closeAll();
    await expect(early).rejects.toThrow('stopping');
    await expect(startNew()).rejects.toThrow('stopping');
  });

  it('uses the release of the SDK that fingerprints name', () => {
    expect(manifest.dependencies['@anthropic-ai/claude-agent-sdk']).toBe(SDK_VERSION);
  });
});
