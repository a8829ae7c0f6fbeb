/** Memory that somebody wants gone. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { SCRIPTED_AGENT } from '../fixtures/scripted-agent.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { startApp } from './app.ts';
import { startModel } from './model.ts';
import { startServer, type TestServer, waitFor } from './server.ts';

function entriesOf(server: TestServer): number {
  return Number(server.rows('SELECT count(*) AS count FROM transcript_entries')[0]?.count);
}

describe('forgetting a room', () => {
  it('leaves nothing of it, hot or not: no process, no transcript, no text, no folder', async () => {
    const server = await startServer({ env: { SPARE_AGENTS: '0' } });
    await server.say(1, 'my cat is called Momo');
    await server.say(2, 'this room stays here');
    await Promise.all([server.replies(1, 1), server.replies(2, 1)]);
    const workspace = join(server.dataDir, 'workspaces', 'builtin', 'assistant', '1');
    expect(existsSync(workspace)).toBe(true);
    const before = entriesOf(server);

    const cleared = await server.api('/session/clear/room/1', { method: 'POST' });
    expect(await cleared.json()).toMatchObject({ status: 'success', cleared: 1 });
    expect(entriesOf(server)).toBe(before / 2);
    expect(await server.family()).toHaveLength(1);
    expect(existsSync(workspace)).toBe(false);
    const texts = server.rows(
      "SELECT text FROM inbox WHERE room_id = '1' UNION SELECT markdown FROM outbox WHERE room_id = '1'",
    );
    expect(texts).toEqual([{ text: '' }]);

    await server.say(1, 'who is my cat?');
    const reply = (await server.replies(1, 2)).at(-1);
    expect(reply?.text).toContain('message 1 of this conversation');
    expect(reply?.text).not.toContain('Momo');
    await server.say(2, 'do you remember?');
    expect((await server.replies(2, 2)).at(-1)?.text).toContain('1. “this room stays here”');
  });

  it('in the middle of a turn ends the turn, and its answer never comes', async () => {
    const model = await startModel();
    const server = await startServer({ env: model.env });
    await server.say(1, 'my cat is called Momo');
    await server.replies(1, 1);
    await server.say(1, 'think for 20 seconds about Momo');
    await waitFor(() => (model.requests().length === 2 ? true : null));
    await server.say(1, 'this one waits behind it');

    const cleared = await server.api('/session/clear/room/1', { method: 'POST' });
    expect(await cleared.json()).toMatchObject({ cleared: 1 });
    expect(entriesOf(server)).toBe(0);
    expect(server.rows('SELECT DISTINCT text FROM inbox')).toEqual([{ text: '' }]);

    await server.say(1, 'who is my cat?');
    const reply = await waitFor(async () => {
      const replies = await server.repliesSoFar(1);
      return replies.find(({ text }) => text.includes('You said: “who is my cat?”')) ?? null;
    });
    expect(reply.text).toContain('message 1 of this conversation');
    await waitFor(async () =>
      (await server.getJson<{ depth: number }>('/queue/stats')).depth === 0 ? true : null,
    );
    const states = server.rows('SELECT state, outcome FROM inbox ORDER BY id');
    expect(states).toEqual([
      { state: 'settled', outcome: 'answered' },
      expect.objectContaining({ state: expect.stringMatching(/buried|settled/) }),
      { state: 'buried', outcome: 'stopped' },
      { state: 'settled', outcome: 'answered' },
    ]);
    const texts = (await server.repliesSoFar(1)).map(({ text }) => text);
    expect(texts.filter((text) => /think for 20|waits behind/.test(text))).toEqual([]);
    // Whether or not the cut turn could settle: what it took was paid.
    expect(server.rows('SELECT count(*) AS count FROM ledger')).toEqual([{ count: 3 }]);
    // The room reads it, once, or the turn's own word for it as well.
    expect(texts.filter((text) => text === '⏹️ Stopped.').length).toBeGreaterThanOrEqual(1);
    expect(texts.indexOf('⏹️ Stopped.')).toBeLessThan(texts.length - 1);
    expect(countMomo(model.requests().at(-1))).toBe(0);
  });

  it('does not forget what is said while its process is slow to go', async () => {
    const file = join(makeTempFolder(), 'signs-of-life');
    const env = { OFFLINE_MODEL: 'on', SPARE_AGENTS: '0' };
    const app = await startApp({ clock: systemClock, env, agentExecutable: SCRIPTED_AGENT });
    await app.say('lobby', `hold on and write to ${file}, then stay silent`);
    await waitFor(() => (existsSync(file) ? true : null));
    await app.say('lobby', '/reset');
    await app.say('lobby', 'are you there again?');
    const reply = await waitFor(async () => {
      const replies = await app.replies('lobby', 1);
      return replies.find(({ text }) => text.includes('You said')) ?? null;
    });
    expect(reply.text).toContain('You said: “are you there again?”\n\nThat is message 1 of this');
  });

  it('of all rooms forgets each of them', async () => {
    const server = await startServer({ env: { SPARE_AGENTS: '0' } });
    await Promise.all([server.say(1, 'my cat is called Momo'), server.say(2, 'my dog is called Rex')]);
    await Promise.all([server.replies(1, 1), server.replies(2, 1)]);
    const cleared = await server.api('/session/clear/all', { method: 'POST' });
    expect(await cleared.json()).toMatchObject({
      status: 'success',
      message: 'All sessions cleared',
      cleared: 2,
    });
    expect(entriesOf(server)).toBe(0);
    expect(await server.family()).toEqual([]);
    await server.say(2, 'who is my dog?');
    expect((await server.replies(2, 2)).at(-1)?.text).toContain('message 1 of this conversation');
  });
});

function countMomo(request: unknown): number {
  return JSON.stringify(request).split('Momo').length - 1;
}
