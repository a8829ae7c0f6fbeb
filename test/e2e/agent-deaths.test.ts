/** Agents that somebody else ends: the kernel when memory is short, an operator, a crash of their own. */
import { describe, expect, it } from 'vitest';
import { countIn, startModel } from './model.ts';
import { startServer, type TestServer, waitFor } from './server.ts';

/** No process but the one of the room. */
const ONE_AGENT = { SPARE_AGENTS: '0' };

/** Kills the only agent of a server, and returns when it is gone. */
async function killAgent(server: TestServer): Promise<void> {
  const [agent, ...others] = await server.family();
  expect(others).toEqual([]);
  process.kill(agent?.pid ?? Number.NaN, 'SIGKILL');
  await waitFor(async () => ((await server.family()).some(({ pid }) => pid === agent?.pid) ? null : true));
}

describe('an agent that is killed', () => {
  it('between two turns is replaced by one that remembers, and nobody notices', async () => {
    const server = await startServer({ env: ONE_AGENT });
    await server.say(1, 'my cat is called Momo');
    await server.replies(1, 1);
    await killAgent(server);
    await server.say(1, 'who is my cat?');
    const replies = await server.replies(1, 2);
    expect(replies[1]?.text).toContain('1. “my cat is called Momo”');
    expect(replies).toHaveLength(2);
    expect((await server.turns(1))[0]).toMatchObject({ tier: 'warm', start: 'resumed', outcome: 'answered' });
  });

  it.each([
    ['the first turn', []],
    ['a later turn', ['my cat is called Momo']],
  ])('in the middle of %s is replaced, and the message is answered once', async (_name, earlier) => {
    const model = await startModel();
    const server = await startServer({ env: { ...model.env, ...ONE_AGENT } });
    for (const text of earlier) {
      await server.say(1, text);
      await server.replies(1, 1);
    }
    model.breakNext({ kind: 'silent' });
    await server.say(1, 'are you going to die?');
    await waitFor(() => (model.requests().length === earlier.length + 1 ? true : null));
    await killAgent(server);
    const replies = await server.replies(1, earlier.length + 1);
    expect(replies.at(-1)?.text).toContain('You said: “are you going to die?”');
    for (const text of earlier) expect(replies.at(-1)?.text).toContain(text);
    expect(countIn(model.requests().at(-1), 'are you going to die?')).toBe(1);
    const [last, died] = await server.turns(1);
    expect(died).toMatchObject({ outcome: 'died', attempt: 1 });
    expect(last).toMatchObject({
      outcome: 'answered',
      attempt: 2,
      tier: earlier.length === 0 ? 'cold' : 'warm',
    });

    await server.say(1, 'and after that?');
    expect(await server.replies(1, earlier.length + 2)).toHaveLength(earlier.length + 2);
    expect((await server.turns(1))[0]).toMatchObject({ tier: 'hot' });
  });

  it('in each of three attempts ends the message with one notice, and the next message is answered', async () => {
    const model = await startModel();
    const server = await startServer({ env: { ...model.env, ...ONE_AGENT } });
    model.breakNext({ kind: 'silent' }, 3);
    await server.say(1, 'this kills every agent');
    for (let attempt = 1; attempt <= 3; attempt++) {
      await waitFor(() => (model.requests().length === attempt ? true : null));
      await killAgent(server);
    }
    expect((await server.replies(1, 1))[0]?.text).toContain('connection trouble');
    await server.say(1, 'and this one does not');
    expect((await server.replies(1, 2))[1]?.text).toContain('You said: “and this one does not”');
  });
});
