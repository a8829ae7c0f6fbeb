/** Conversations over midnight and over their time to live. */
import { describe, expect, it } from 'vitest';
import { toConversationKey } from '../../src/base/conversation.ts';
import { BUILTIN_CHAT, botId, roomId } from '../../src/base/terms.ts';
import { makeMovableClock, startApp, type TestApp } from './app.ts';
import { startModel } from './model.ts';
import { DAVID, KEVIN } from './server.ts';

const key = toConversationKey({
  chat: BUILTIN_CHAT,
  roomId: roomId('1'),
  botId: botId('assistant'),
  userId: null,
});

/** Oldest first. */
async function turnsOf(app: TestApp) {
  return (await app.parts.store.turns.recent(key, 20)).toReversed();
}

describe('two turns over midnight by two people', () => {
  it('are both hot, and the model is told the right day and author of each', async () => {
    const model = await startModel();
    const clock = makeMovableClock(Date.UTC(2026, 2, 14, 22, 58, 0));
    const app = await startApp({ clock, env: { ...model.env, TIME_ZONE: 'Europe/Berlin' } });
    await app.say('1', 'good evening everybody', DAVID);
    await app.replies('1', 1);
    clock.set(Date.UTC(2026, 2, 14, 22, 59, 20));
    await app.say('1', 'which day is it?', DAVID);
    await app.replies('1', 2);
    clock.set(Date.UTC(2026, 2, 14, 23, 0, 20));
    await app.say('1', 'and which one is it now?', KEVIN);
    await app.replies('1', 3);

    expect((await turnsOf(app)).map(({ tier }) => tier)).toEqual(['cold', 'hot', 'hot']);
    const said = JSON.stringify(model.requests().at(-1)?.messages).replaceAll('\\"', '"');
    const headers = said.matchAll(/<message from="(\w+)"[^>]* sent="([^"]*)">\\n([^<]*)\\n</g);
    expect([...headers].map(([, ...facts]) => facts)).toEqual([
      ['David', 'Saturday, 14 March 2026 at 23:58 (Europe/Berlin)', 'good evening everybody'],
      ['David', 'Saturday, 14 March 2026 at 23:59 (Europe/Berlin)', 'which day is it?'],
      ['Kevin', 'Sunday, 15 March 2026 at 00:00 (Europe/Berlin)', 'and which one is it now?'],
    ]);
  });
});

describe('a conversation idle for longer than its time to live', () => {
  it('starts cold and knows nothing of before; its process is gone by then', async () => {
    const start = Date.UTC(2026, 2, 14, 12);
    const clock = makeMovableClock(start);
    const app = await startApp({ clock, env: { SESSION_TTL_HOURS: '0.083', SPARE_AGENTS: '0' } });
    await app.say('1', 'my cat is called Momo');
    await app.replies('1', 1);
    clock.set(start + 4 * 60_000);
    await app.say('1', 'and my dog is called Rex');
    expect((await app.replies('1', 2))[1]?.text).toContain('Momo');
    const [live] = await app.parts.agents.census();
    expect(live?.conversation).toBe(key);

    clock.set(start + 10 * 60_000);
    await app.parts.sessions.sweep();
    expect(await app.parts.agents.census()).toEqual([]);
    expect(() => process.kill(live?.pid ?? 0, 0)).toThrow('ESRCH');

    await app.say('1', 'who are my animals?');
    const last = (await app.replies('1', 3))[2]?.text;
    expect(last).toContain('message 1 of this conversation');
    expect(last).not.toMatch(/Momo|Rex/);
    const turns = await turnsOf(app);
    expect(turns.map(({ tier }) => tier)).toEqual(['cold', 'hot', 'cold']);
    expect(turns[2]?.reason).toBe('idle for longer than its time to live');
    expect(turns[2]?.sessionId).not.toBe(turns[0]?.sessionId);
  });
});
