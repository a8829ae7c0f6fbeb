/** What every process behind the port keeps to: Claude's own, and the scripted one that stands in for it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemProcessTable } from '../../src/agent/process-table.ts';
import { newEntryId, newSessionId } from '../../src/base/ids.ts';
import type { EntryId, Fence } from '../../src/base/terms.ts';
import { SCRIPTED_AGENT } from '../fixtures/scripted-agent.ts';
import { answerTo, lastEntryOf, makeWorld, say } from './agent-world.ts';

const FENCE = 1 as Fence;
const table = systemProcessTable(process.platform);

describe.each([
  ['the real process', {}],
  ['the scripted agent', { executable: SCRIPTED_AGENT }],
])('%s', (_name, deps) => {
  it('answers, streams, counts, and remembers in the next turn', async () => {
    const { startNew, transcripts, registry } = await makeWorld(deps);
    const agent = await startNew();
    expect(agent).toMatchObject({ start: 'new', alive: true });
    expect([...registry.running]).toEqual([agent.id]);
    const first = await say(agent, '<message from="Ann">my cat is Momo</message>');
    const streamed = first.events
      .flatMap((event) => (event.kind === 'text-delta' ? [event.text] : []))
      .join('');
    expect(first.ended).toMatchObject({
      end: { kind: 'answered', text: streamed },
      sessionId: agent.sessionId,
    });
    expect(streamed).toContain('You said: “my cat is Momo”');
    const stored = transcripts.main(agent.sessionId);
    expect(stored.findLast(({ uuid }) => uuid !== undefined)?.uuid).toBe(first.ended.lastEntry);
    expect(stored.map(({ type }) => type)).toContain('assistant');

    const second = await say(agent, '<message from="Ann">who is my cat?</message>');
    expect(second.ended.end).toMatchObject({ text: expect.stringContaining('1. “my cat is Momo”') });
    expect(second.ended.usage.costUsd).toBeGreaterThan(0);
    expect(second.ended.contextTokens).toBeGreaterThan(first.ended.contextTokens ?? Number.NaN);
    expect(second.ended.cumulative.inputTokens).toBe(
      first.ended.usage.inputTokens + second.ended.usage.inputTokens,
    );
  });

  it('resumes at an entry, knows nothing of what came after it, and nothing at all without it', async () => {
    const { startNew, start } = await makeWorld(deps);
    const first = await startNew();
    const settled = await say(first, 'my cat is Momo');
    await say(first, 'my dog is Rex');
    await first.close();
    const { sessionId } = first;
    const second = await start({ kind: 'resume', sessionId, at: lastEntryOf(settled) });
    expect(second.start).toBe('resumed');
    const { ended } = await say(second, 'who are my animals?');
    const both = 'message 2 of this conversation.\n\nEarlier in this conversation: 1. “my cat is Momo”';
    expect(ended).toMatchObject({ end: { text: expect.stringMatching(new RegExp(`${both}$`)) }, sessionId });
    for (const missing of [
      { kind: 'resume', sessionId, at: newEntryId() as EntryId },
      { kind: 'resume', sessionId: newSessionId(), at: newEntryId() as EntryId },
    ] as const)
      await expect(start(missing)).rejects.toMatchObject({ reason: 'no-transcript' });
  });

  it('ends its turn when it is interrupted, and goes on with the next', async () => {
    const { startNew, start, model } = await makeWorld(deps);
    const agent = await startNew();
    model.breakNext({ kind: 'silent' });
    const turn = say(agent, 'stay silent');
    await agent.interrupt();
    const { ended } = await turn;
    expect(ended.end.kind).toBe('interrupted');
    model.mend();
    expect(await answerTo(agent, 'go on')).toContain('message 2 of this conversation');
    await agent.close();
    const at = lastEntryOf({ events: [], ended });
    const resumed = await start({ kind: 'resume', sessionId: agent.sessionId, at });
    expect(await answerTo(resumed, 'and on')).toContain('message 2 of this conversation');
  });

  it('compacts between turns', async () => {
    const { startNew, start } = await makeWorld(deps);
    const agent = await startNew();
    await say(agent, 'my cat is Momo');
    const compaction = await agent.compact(FENCE);
    expect(compaction).toMatchObject({ kind: 'compacted', sessionId: agent.sessionId });
    expect(compaction.usage.inputTokens).toBeGreaterThan(0);
    expect(await answerTo(agent, 'who is my cat?')).toContain('1. “my cat is Momo”');
    await agent.close();
    const resume = {
      kind: 'resume',
      sessionId: agent.sessionId,
      at: compaction.lastEntry as EntryId,
    } as const;
    expect(await answerTo(await start(resume), 'who is my cat?')).toContain('message 2 of this conversation');
  });

  it('serves a new session as a spare', async () => {
    const world = await makeWorld(deps);
    world.agents.keepSpares([world.specWith()]);
    while ((await world.agents.census()).length === 0) await new Promise(setImmediate);
    const agent = await world.startNew();
    expect(agent.start).toBe('spare');
    const { ended } = await say(agent, 'my cat is Momo');
    expect(ended).toMatchObject({ end: { kind: 'answered' }, sessionId: agent.sessionId });
    await agent.close();
    const resume = {
      kind: 'resume',
      sessionId: agent.sessionId,
      at: lastEntryOf({ events: [], ended }),
    } as const;
    expect(await answerTo(await world.start(resume), 'who?')).toContain('1. “my cat is Momo”');
  });

  it('leaves nothing when it is closed', async () => {
    const { startNew, dataDir, registry } = await makeWorld(deps);
    const agent = await startNew();
    await say(agent, 'hello');
    await agent.close();
    expect((await table.rows()).filter((row) => row.agent === agent.id)).toEqual([]);
    expect(readdirSync(join(dataDir, 'agents'))).toEqual([]);
    expect(registry.running.size).toBe(0);
    expect((await say(agent, 'hello?')).ended.end.kind).toBe('died');
  });
});
