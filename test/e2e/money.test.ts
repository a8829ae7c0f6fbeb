/** What turns cost, and what they may: the offline model's tokens have the price of a real one's. */
import { describe, expect, it } from 'vitest';
import { makeMovableClock, startApp } from './app.ts';
import { KEVIN, makeBotsFolder, startServer, type TestServer, waitFor, writeBot } from './server.ts';

const BOT = { bot_id: 'assistant', default: true, tools: { builtin: ['Glob'] } };

async function startWith(limits: Readonly<Record<string, number>>) {
  const folder = makeBotsFolder({ ...BOT, limits });
  return { folder, server: await startServer({ env: { BOTS_DIRS: folder, SPARE_AGENTS: '0' } }) };
}

async function textOf(server: TestServer, room: string, count: number): Promise<string> {
  return (await server.replies(room, count)).at(-1)?.text ?? '';
}

/** What attempts cost, oldest first. */
function costs(server: TestServer): readonly number[] {
  return server.rows('SELECT cost_usd FROM ledger ORDER BY id').map(({ cost_usd: cost }) => Number(cost));
}

describe('a limit of a conversation', () => {
  it('that is used up is told instead of an answer, and a reset begins anew', async () => {
    const { server } = await startWith({ max_session_cost_usd: 0.000001 });
    await server.say('one', 'hello there, bot');
    expect(await textOf(server, 'one', 1)).toContain('You said: “hello there, bot”');
    await server.say('one', 'and once more, please');
    expect(await textOf(server, 'one', 2)).toContain('The budget of this conversation is used up');
    await server.say('two', 'hello from elsewhere');
    expect(await textOf(server, 'two', 1)).toContain('You said: “hello from elsewhere”');
    await server.say('one', '/reset');
    await textOf(server, 'one', 3);
    await server.say('one', 'and after the reset?');
    expect(await textOf(server, 'one', 4)).toContain('You said: “and after the reset?”');
    expect(await server.turns('one')).toHaveLength(2);
    expect(costs(server)).toHaveLength(3);
  });
});

describe('a limit of a person and day', () => {
  it('holds in every room, and for nobody else', async () => {
    const { server } = await startWith({ max_cost_usd_per_user_per_day: 0.000001 });
    await server.say('one', 'hello there, bot');
    expect(await textOf(server, 'one', 1)).toContain('You said');
    await server.say('two', 'and once more, please');
    expect(await textOf(server, 'two', 1)).toContain('Your budget for today is used up');
    await server.say('two', 'hello from Kevin', { user: KEVIN });
    expect(await textOf(server, 'two', 2)).toContain('You said: “hello from Kevin”');
  });
});

describe('a day', () => {
  it('ends at midnight in the zone that is configured', async () => {
    const clock = makeMovableClock(Date.parse('2026-11-21T23:50:00+09:00'));
    const bots = makeBotsFolder({ ...BOT, limits: { max_cost_usd_per_user_per_day: 0.000001 } });
    const app = await startApp({
      clock,
      env: { BOTS_DIRS: bots, TIME_ZONE: 'Asia/Tokyo', SPARE_AGENTS: '0' },
    });
    const ask = async (text: string, count: number) => {
      await app.say('one', text);
      return (await app.replies('one', count)).at(-1)?.text;
    };
    expect(await ask('hello there, bot', 1)).toContain('You said');
    expect(await ask('and once more, please', 2)).toContain('Please try again tomorrow');
    clock.set(Date.parse('2026-11-22T00:00:01+09:00'));
    expect(await ask('is it tomorrow now?', 3)).toContain('You said: “is it tomorrow now?”');
    const days = await app.parts.store.ledger.daily(0, 'Asia/Tokyo');
    expect(days.map(({ of, attempts }) => [of, attempts])).toEqual([
      ['2026-11-21', 1],
      ['2026-11-22', 1],
    ]);
  });
});

describe('a limit of a turn', () => {
  it('ends the turn where it is reached, with what there is, and the next turn has the whole of it again', async () => {
    const { folder, server } = await startWith({});
    await server.say('one', 'hello there, bot');
    await textOf(server, 'one', 1);
    const [usual = 0] = costs(server);
    expect(usual).toBeGreaterThan(0);
    // Enough for a turn with one request, and for no more than a few.
    writeBot(folder, { ...BOT, description: 'thrifty', limits: { max_turn_cost_usd: usual * 2.5 } });
    await waitFor(async () =>
      (await server.api('/api/bots').then((answer) => answer.text())).includes('thrifty') ? true : null,
    );

    await server.say('two', 'use tool Glob with {"pattern":"*"} 20 times');
    const replies = await server.replies('two', 2);
    expect(replies.map(({ text }) => text)).toEqual([
      'I will use the tool Glob.',
      expect.stringContaining('the budget for one answer is used up'),
    ]);
    await server.say('two', 'are you still there?');
    expect(await textOf(server, 'two', 3)).toContain('You said: “are you still there?”');
    const turns = (await server.turns('two')).toReversed();
    expect(turns.map(({ outcome, start }) => [outcome, start])).toEqual([
      ['budget-limit', 'new'],
      ['answered', 'resumed'],
    ]);
  });
});

describe('the ledger', () => {
  it('holds what attempts cost that nobody was answered by', async () => {
    const { server } = await startWith({});
    await server.say('one', 'think for 30 seconds');
    await waitFor(() => server.rows("SELECT id FROM inbox WHERE state = 'running'")[0] ?? null);
    await server.say('one', '/stop');
    await textOf(server, 'one', 1);
    expect(server.rows('SELECT outcome, user_id FROM ledger')).toEqual([
      { outcome: 'stopped-by-command', user_id: '1' },
    ]);
  });
});
