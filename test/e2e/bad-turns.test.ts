/** Turns that do not go well: what the room reads then, and that the conversation goes on. */
import { describe, expect, it } from 'vitest';
import { countIn, startModel, type TestModel } from './model.ts';
import { makeBotsFolder, startServer, type TestServer } from './server.ts';

async function startBoth(
  env: Readonly<Record<string, string>> = {},
): Promise<{ model: TestModel; server: TestServer }> {
  const model = await startModel();
  return { model, server: await startServer({ env: { ...model.env, ...env } }) };
}

async function texts(server: TestServer, count: number): Promise<readonly string[]> {
  return (await server.replies(1, count)).map(({ text }) => text);
}

describe('a turn', () => {
  it('over its time limit is cut short with a notice, and the next one is hot', async () => {
    const { server } = await startBoth({ TURN_TIMEOUT_SECONDS: '2' });
    await server.say(1, 'my cat is called Momo');
    await texts(server, 1);
    await server.say(1, 'think for 60 seconds about it');
    expect((await texts(server, 2))[1]).toContain('I ran out of time on this one');
    await server.say(1, 'who is my cat?');
    expect((await texts(server, 3))[2]).toContain('1. “my cat is called Momo”');
    expect((await server.turns(1)).map(({ tier, outcome }) => [tier, outcome])).toEqual([
      ['hot', 'answered'],
      ['hot', 'timed-out'],
      ['cold', 'answered'],
    ]);
  });

  it('whose endpoint falls silent runs again, and the room reads nothing of it', async () => {
    const { model, server } = await startBoth({ STUCK_AFTER_SECONDS: '2' });
    model.breakNext({ kind: 'silent' });
    await server.say(1, 'is anybody there at all?');
    expect((await texts(server, 1))[0]).toContain('You said: “is anybody there at all?”');
    expect(countIn(model.requests().at(-1), 'is anybody there at all?')).toBe(1);
    expect((await server.turns(1)).map(({ outcome, attempt }) => [outcome, attempt])).toEqual([
      ['answered', 2],
      ['silent', 1],
    ]);
    expect(await server.repliesSoFar(1)).toHaveLength(1);
  });

  it('whose answer breaks off in the middle is answered whole, and nothing of it reaches the next', async () => {
    const { model, server } = await startBoth();
    model.breakNext({ kind: 'drop-midway' });
    await server.say(1, 'tell me something about cats');
    const [first] = await texts(server, 1);
    expect(first).toMatch(/^I am the offline model.*You said: “tell me something about cats”/);
    expect(first?.split('I am the offline model')).toHaveLength(2);
    await server.say(1, 'and about dogs, please');
    expect((await texts(server, 2))[1]).toMatch(
      /^I am the offline model.*You said: “and about dogs, please”/,
    );
  });

  it('whose key is refused ends with a notice and no word of the endpoint', async () => {
    const { model, server } = await startBoth();
    model.breakNext({ kind: 'status', status: 401 }, 10);
    await server.say(1, 'is the key all right?');
    const [notice] = await texts(server, 1);
    expect(notice).toContain('connection trouble');
    expect(notice).not.toMatch(/401|API|key/i);
    model.mend();
    await server.say(1, 'and is it now?');
    expect((await texts(server, 2))[1]).toContain('You said: “and is it now?”');
  });

  it('without an answer says so instead of posting nothing', async () => {
    const { model, server } = await startBoth();
    model.setScript(() => ({ kind: 'text', text: ' ', delayMs: 0 }));
    await server.say(1, 'say nothing, please');
    expect((await texts(server, 1))[0]).toContain('I have nothing to say to that');
  });

  it('with tools is answered without the narration before them, and ends at its step limit with what there is', async () => {
    const bots = makeBotsFolder({
      bot_id: 'assistant',
      default: true,
      tools: { builtin: ['Glob'] },
      limits: { max_steps: 3 },
    });
    const { server } = await startBoth({ BOTS_DIRS: bots });
    await server.say(1, 'use tool Glob with {"pattern":"*"} 2 times');
    expect((await texts(server, 1))[0]).toBe('The tool Glob answered: No files found');
    await server.say(1, 'use tool Glob with {"pattern":"*"} 9 times');
    expect((await texts(server, 3)).slice(1)).toEqual([
      'I will use the tool Glob.',
      expect.stringContaining('one answer may take only so many steps'),
    ]);
  });
});
