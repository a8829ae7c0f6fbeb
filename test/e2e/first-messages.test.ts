/** A user's first minutes: nothing configured, a message, an answer, a restart. */
import { describe, expect, it } from 'vitest';
import { startServer } from './server.ts';

describe('a server started from nothing', () => {
  it('answers a webhook 200 with nothing in it, and then in the built-in room', async () => {
    const server = await startServer();
    const answer = await server.say('kitchen', 'my cat is called Momo');
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe('');
    expect(answer.headers.get('content-type')).toBeNull();

    await server.replies('kitchen', 1);
    expect(await server.messages('kitchen')).toMatchObject([
      { author: { name: 'David', is_bot: false }, text: 'my cat is called Momo' },
      {
        author: { id: 'assistant', name: 'Assistant', is_bot: true },
        text: expect.stringContaining('You said: “my cat is called Momo”'),
      },
    ]);
  });

  it('says in one line that the offline model answers, and takes the code of the page once', async () => {
    const server = await startServer();
    expect(server.output()).toMatch(/^No model credential: the offline model answers\. .*ANTHROPIC_API_KEY/m);
    const code = /#code=(\S+)/.exec(server.output())?.[1];
    const logIn = () =>
      server.post({ code }, { path: '/api/login', headers: { 'sec-fetch-site': 'same-origin' } });
    const first = await logIn();
    expect(first.status).toBe(200);
    const cookie = first.headers.get('set-cookie')?.split(';')[0] ?? '';
    const stats = await fetch(`${server.url}/session/stats`, { headers: { cookie } });
    expect(stats.status).toBe(200);
    expect((await logIn()).status).toBe(401);
  });

  it('is hot for the second message, and warm after it was killed or stopped, and always remembers', async () => {
    const first = await startServer();
    await first.say(1, 'my cat is called Momo');
    await first.replies(1, 1);
    await first.say(1, 'and my dog is called Rex');
    const [, hot] = await first.replies(1, 2);
    expect(hot?.text).toContain('1. “my cat is called Momo”');
    await first.kill();

    const second = await startServer({ dataDir: first.dataDir });
    await second.say(1, 'who are my animals?');
    const warm = (await second.replies(1, 3)).at(-1);
    expect(warm?.text).toContain('1. “my cat is called Momo” 2. “and my dog is called Rex”');
    expect((await second.stop()).code).toBe(0);

    const third = await startServer({ dataDir: first.dataDir });
    await third.say(1, 'and now?');
    const last = (await third.replies(1, 4)).at(-1);
    expect(last?.text).toContain('2. “and my dog is called Rex” 3. “who are my animals?”');
    const turns = (await third.turns(1)).toReversed();
    expect(turns.map(({ tier, start, outcome }) => [tier, start, outcome])).toEqual([
      ['cold', expect.stringMatching(/^(new|spare)$/), 'answered'],
      ['hot', 'reused', 'answered'],
      ['warm', expect.stringMatching(/^(resumed|rewarmed)$/), 'answered'],
      ['warm', expect.stringMatching(/^(resumed|rewarmed)$/), 'answered'],
    ]);
    expect(new Set(turns.map(({ session_id }) => session_id)).size).toBe(1);
  });
});
