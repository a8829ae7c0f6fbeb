/** Turns that hang, in more ways than an endpoint's silence: who is told to end, and what becomes of the message. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { SCRIPTED_AGENT } from '../fixtures/scripted-agent.ts';
import { findLeftProcesses } from '../setup/left-processes.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { startApp } from './app.ts';
import { countIn, startModel } from './model.ts';
import { makeBotsFolder, startServer, waitFor } from './server.ts';

const SLOW_TOOL = fileURLToPath(new URL('../fixtures/slow-tool.ts', import.meta.url));

/** A server whose bot has a tool that takes as long as it is told to. */
async function startWithSlowTool(env: Readonly<Record<string, string>>) {
  const model = await startModel();
  const bots = makeBotsFolder({
    bot_id: 'assistant',
    default: true,
    mcp_servers: { slow: { command: process.execPath, args: [SLOW_TOOL] } },
  });
  const server = await startServer({ env: { ...model.env, ...env, BOTS_DIRS: bots, SPARE_AGENTS: '0' } });
  return { model, server };
}

describe('a turn with a tool that takes long', () => {
  it('is not silent while the tool runs', async () => {
    const { server } = await startWithSlowTool({ STUCK_AFTER_SECONDS: '5' });
    await server.say(1, 'use tool mcp__slow__wait with {"seconds": 8}');
    const [reply] = await server.replies(1, 1);
    expect(reply?.text).toBe('The tool mcp__slow__wait answered: waited for 8 seconds');
    expect((await server.turns(1)).map(({ outcome, attempt }) => [outcome, attempt])).toEqual([
      ['answered', 1],
    ]);
  });

  it('over its limit ends with what it has said so far and a notice, and the next one is hot', async () => {
    const { server } = await startWithSlowTool({ TURN_TIMEOUT_SECONDS: '2' });
    await server.say(1, 'use tool mcp__slow__wait with {"seconds": 60}');
    const replies = await server.replies(1, 2);
    expect(replies.map(({ text }) => text)).toEqual([
      'I will use the tool mcp__slow__wait.',
      expect.stringContaining('I ran out of time on this one'),
    ]);
    await server.say(1, 'are you still there?');
    expect((await server.replies(1, 3))[2]?.text).toContain('You said: “are you still there?”');
    expect((await server.turns(1)).map(({ outcome, tier }) => [outcome, tier])).toEqual([
      ['answered', 'hot'],
      ['timed-out', 'cold'],
    ]);
  });
});

describe('an agent that hears nothing any more', () => {
  it('is ended, deaf as it is, and its message is answered by another one that remembers', async () => {
    const model = await startModel();
    const server = await startServer({
      env: { ...model.env, STUCK_AFTER_SECONDS: '4', SPARE_AGENTS: '0' },
    });
    await server.say(1, 'my cat is called Momo');
    await server.replies(1, 1);
    const [agent] = await server.family();
    if (agent === undefined) throw new Error('no agent is there');

    await server.say(1, 'think for 30 seconds about it');
    await waitFor(() => (model.requests().some((one) => countIn(one, 'about it') > 0) ? true : null));
    process.kill(agent.pid, 'SIGSTOP');
    model.setScript(() => ({ kind: 'text', text: 'Here I am again.', delayMs: 0 }));

    // Four seconds of silence, ten of grace, and a process start.
    const [, reply] = await server.replies(1, 2, 50_000);
    expect(reply?.text).toBe('Here I am again.');
    expect(countIn(model.requests().at(-1), 'my cat is called Momo')).toBeGreaterThan(0);
    expect(countIn(model.requests().at(-1), 'think for 30 seconds')).toBe(1);
    expect((await server.turns(1)).slice(0, 2).map(({ outcome, tier }) => [outcome, tier])).toEqual([
      ['answered', 'warm'],
      ['silent', 'hot'],
    ]);
    expect((await server.family()).map(({ pid }) => pid)).not.toContain(agent.pid);
  });
});

describe('an agent that minds neither its interrupt nor TERM, with a child that went its own way and writes on', () => {
  it('is ended with all that it started when its turn is over its limit, and the conversation goes on', async () => {
    const dataDir = makeTempFolder();
    const file = join(makeTempFolder(), 'signs-of-life');
    const env = { DATA_DIR: dataDir, OFFLINE_MODEL: 'on', TURN_TIMEOUT_SECONDS: '1', SPARE_AGENTS: '0' };
    const app = await startApp({ clock: systemClock, env, agentExecutable: SCRIPTED_AGENT });
    await app.say('lobby', `hold on and write to ${file}, then stay silent`);
    await waitFor(() => (existsSync(file) ? true : null));
    const [agent] = await app.parts.agents.census();
    expect(agent).toBeDefined();

    // A second, and ten of grace.
    const [notice] = await app.replies('lobby', 1);
    expect(notice?.text).toContain('I ran out of time on this one');
    await waitFor(async () => ((await app.parts.agents.census()).length === 0 ? true : null));
    expect(await findLeftProcesses(dataDir)).toEqual([]);
    const written = readFileSync(file, 'utf8').length;
    await app.say('lobby', 'are you there again?');
    expect((await app.replies('lobby', 2))[1]?.text).toContain('You said: “are you there again?”');
    expect(readFileSync(file, 'utf8')).toHaveLength(written);
    const [turn] = await app.parts.store.turns.recent('builtin:lobby:assistant' as never, 1);
    expect(turn).toMatchObject({ outcome: 'answered', attempt: 1 });
  });
});
