/** Commands in the room, on the real process. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { mentionOf, startCampfireDouble } from '../fixtures/campfire-double.ts';
import { countIn, startModel, type TestModel } from './model.ts';
import { KEVIN, makeBotsFolder, startServer, type TestServer, waitFor } from './server.ts';

type House = { readonly model: TestModel; readonly server: TestServer };

async function startBoth(
  bot: Readonly<Record<string, unknown>> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<House> {
  const model = await startModel();
  const bots = makeBotsFolder({ bot_id: 'assistant', default: true, ...bot });
  const server = await startServer({
    env: { ...model.env, BOTS_DIRS: bots, SPARE_AGENTS: '0', DRAIN_SECONDS: '0.5', ...env },
  });
  return { model, server };
}

async function textOf(server: TestServer, count: number): Promise<string> {
  return (await server.replies(1, count)).at(-1)?.text ?? '';
}

/** The model was asked with this text. */
function asked(model: TestModel, text: string) {
  return waitFor(() => (model.requests().some((request) => countIn(request, text) > 0) ? true : null));
}

describe('/stop', () => {
  it('ends the running turn at once, drops what waits, and the process goes on', async () => {
    const { model, server } = await startBoth();
    await server.say(1, 'hello there, bot');
    await textOf(server, 1);
    const [agent] = await server.family();

    await server.say(1, 'think for 30 seconds');
    await asked(model, 'think for 30');
    await server.say(1, 'this one waits for it');
    await textOf(server, 2);
    const told = await server.say(1, '/stop', { user: KEVIN });
    expect([told.status, await told.text()]).toEqual([200, '']);
    expect(await textOf(server, 3)).toBe('⏹️ Stopped. 1 message that waited is dropped too.');

    await server.say(1, 'and what now?');
    expect(await textOf(server, 4)).toContain('You said: “and what now?”');
    const turns = (await server.turns(1)).toReversed();
    expect(turns.map(({ outcome, start }) => [outcome, start])).toEqual([
      ['answered', 'new'],
      ['stopped-by-command', 'reused'],
      ['answered', 'reused'],
    ]);
    expect((await server.family())[0]?.pid).toBe(agent?.pid);
    expect(model.requests().some((request) => countIn(request, '/stop') > 0)).toBe(false);
  });

  it('drops a message whose turn still waits for its process, and what is written then gets its own turn', async () => {
    const { server } = await startBoth({}, { AGENT_MEMORY_BUDGET_MB: '300', MAX_HOT_SESSIONS: '2' });
    await server.say(2, 'think for 4 seconds');
    await waitFor(async () => ((await server.family()).length > 0 ? true : null));
    await server.say(1, 'there is no room for this one');
    await waitFor(async () => {
      const { active_agents: running } = await server.getJson<{ active_agents: number }>('/queue/stats');
      return running === 2 ? true : null;
    });
    await server.say(1, '/stop');
    expect(await textOf(server, 1)).toContain('1 message that waited is dropped too.');
    await server.say(1, 'think for 1 second about this one');
    expect(await textOf(server, 2)).toContain('You said: “think for 1 second about this one”');
    expect((await server.turns(1)).map(({ outcome }) => outcome)).toEqual(['answered']);
  });

  it('posts what had been written before it says that it has stopped', async () => {
    const { model, server } = await startBoth({ tools: { builtin: ['Glob'] } });
    model.setScript((request) =>
      countIn(request, 'tool_result') > 0 ? { kind: 'text', text: 'Done.', delayMs: 30_000 } : null,
    );
    await server.say(1, 'use tool Glob with {"pattern":"*"}');
    await asked(model, 'tool_result');
    await server.say(1, '/stop');
    const replies = await server.replies(1, 2);
    expect(replies.map(({ text }) => text)).toEqual(['I will use the tool Glob.', '⏹️ Stopped.']);
  });

  it('says so where there is nothing to stop, once for each message', async () => {
    const { server } = await startBoth();
    for (let time = 0; time < 3; time += 1) await server.say(1, '/stop', { id: '7' });
    await server.say(1, '/stop', { id: '8' });
    const replies = await server.replies(1, 2);
    expect(replies.map(({ text }) => text)).toEqual([
      'There is nothing to stop.',
      'There is nothing to stop.',
    ]);
    expect(await server.turns(1)).toEqual([]);
  });
});

describe('/reset', () => {
  it('forgets the conversation, and what is said after it is remembered though it comes again', async () => {
    const { model, server } = await startBoth();
    await server.say(1, 'my cat is called Momo');
    await textOf(server, 1);
    await server.say(1, '/reset', { id: '7' });
    expect(await textOf(server, 2)).toContain('I have forgotten this conversation');
    await server.say(1, 'my dog is called Rex');
    await textOf(server, 3);

    await server.say(1, '/reset', { id: '7' });
    await server.say(1, 'who are my animals?');
    expect(await textOf(server, 4)).toContain('1. “my dog is called Rex”');
    expect(countIn(model.requests().at(-1), 'Momo')).toBe(0);
    expect((await server.turns(1)).map(({ tier }) => tier)).toEqual(['hot', 'cold', 'cold']);
  });

  it('ends the running turn, whose answer never comes', async () => {
    const { model, server } = await startBoth();
    await server.say(1, 'think for 3 seconds');
    await asked(model, 'think for 3');
    await server.say(1, '/reset');
    await server.say(1, 'hello after all that');
    await waitFor(async () => {
      const { depth } = await server.getJson<{ depth: number }>('/queue/stats');
      return depth === 0 ? true : null;
    });
    const texts = (await server.replies(1, 2)).map(({ text }) => text);
    expect(texts.filter((text) => text.includes('think for 3'))).toEqual([]);
    expect(texts.at(-1)).toContain('You said: “hello after all that”');
  });

  it('is refused in words to whoever was not answered last', async () => {
    const { server } = await startBoth();
    await server.say(1, 'my cat is called Momo');
    await textOf(server, 1);
    await server.say(1, '/reset', { user: KEVIN });
    expect(await textOf(server, 2)).toContain('is only for whoever I answered last and administrators');
    await server.say(1, 'who is my cat?');
    expect(await textOf(server, 3)).toContain('1. “my cat is called Momo”');
  });

  it('is for those whom the bot file names', async () => {
    const { server } = await startBoth({ commands: { reset: [KEVIN.id], status: 'nobody' } });
    await server.say(1, '/reset');
    expect(await textOf(server, 1)).toContain('only for the people whom my bot file names');
    await server.say(1, '/reset', { user: KEVIN });
    expect(await textOf(server, 2)).toContain('I have forgotten');
    await server.say(1, '/status', { user: KEVIN });
    expect(await textOf(server, 3)).toContain('/status is switched off');
  });
});

describe('/status', () => {
  it('tells of model, turn, memory and cost, also while a turn runs', async () => {
    const { model, server } = await startBoth({
      model_config: { model: 'some-model' },
      limits: { max_session_cost_usd: 50 },
    });
    await server.say(1, '/status');
    expect(await textOf(server, 1)).toContain('none, the next message starts afresh');
    await server.say(1, 'hello there, bot');
    await textOf(server, 2);
    await server.say(1, 'think for 30 seconds');
    await asked(model, 'think for 30');
    await server.say(1, '/status', { user: KEVIN });
    const text = await textOf(server, 3);
    expect(text).toMatch(/Model: some-model/);
    expect(text).toMatch(/I have been answering for \d+ seconds?/);
    expect(text).toMatch(/1 answer in \d+ seconds?, ready at once/);
    expect(text).toMatch(/Cost: \$\d+\.\d+ of \$50\.00 in this conversation, \$0\.00 by you today/);
    expect(text).not.toMatch(/\$0\.00 of/);
  });
});

describe('/compact', () => {
  it('answers at once and shortens what is remembered, and the conversation goes on', async () => {
    const { server } = await startBoth();
    await server.say(1, '/compact');
    expect(await textOf(server, 1)).toContain('nothing to shorten');
    for (const [at, text] of ['my cat is called Momo', 'and my dog is called Rex'].entries()) {
      await server.say(1, text);
      await textOf(server, at + 2);
    }
    await server.say(1, '/compact');
    expect(await textOf(server, 4)).toContain('I am shortening what I remember');
    await waitFor(() => /"outcome":"compacted".*"msg":"compacted"/.exec(server.output()));
    expect(server.rows("SELECT id FROM ledger WHERE outcome = 'compaction'")).toHaveLength(1);
    await server.say(1, 'is that you, bot?');
    expect(await textOf(server, 5)).toContain('You said: “is that you, bot?”');
    expect((await server.turns(1))[0]).toMatchObject({ outcome: 'answered', tier: 'hot' });
  });
});

describe('/model', () => {
  it('tells and changes the model of this conversation, until it is reset', async () => {
    const { model, server } = await startBoth({
      model_config: { model: 'usual-model', models: ['larger-model'] },
    });
    const lastModel = () => model.requests().at(-1)?.model;
    await server.say(1, 'my cat is called Momo');
    await textOf(server, 1);
    expect(lastModel()).toBe('usual-model');

    await server.say(1, '/model');
    expect(await textOf(server, 2)).toMatch(/I use usual-model.*usual-model, larger-model/);
    await server.say(1, '/model huge-model');
    expect(await textOf(server, 3)).toContain('I cannot use that model');
    await server.say(1, '/model larger-model');
    expect(await textOf(server, 4)).toContain('From the next message on I use larger-model');
    await server.say(1, 'who is my cat?');
    expect(await textOf(server, 5)).toContain('1. “my cat is called Momo”');
    expect(lastModel()).toBe('larger-model');

    await server.say(1, '/reset');
    await textOf(server, 6);
    await server.say(1, 'and now, please?');
    await textOf(server, 7);
    expect(lastModel()).toBe('usual-model');
  });
});

describe('in a Campfire', () => {
  it('a mention with a command is one, and an administrator may give it', async () => {
    const [DAVID, KEVIN_THERE, BENDER, WATERCOOLER] = [1, 2, 3, 2];
    const campfire = await startCampfireDouble({ version: 'newer' });
    onTestFinished(() => campfire.close());
    const bots = makeBotsFolder({ bot_id: 'bender', bot_key: campfire.data.keyOf(BENDER) });
    const server = await startServer({
      env: { CAMPFIRE_URL: campfire.url, OFFLINE_MODEL: 'on', BOTS_DIRS: bots },
    });
    campfire.data.setWebhook(BENDER, `${server.url}/webhook/bender`);
    const say = (user: number, text: string) =>
      campfire.say(WATERCOOLER, user, `<div>${mentionOf(BENDER)} ${text}</div>`);
    const posted = (count: number) =>
      waitFor(() => (campfire.posts().length >= count ? (campfire.posts()[count - 1]?.html ?? null) : null));

    await say(DAVID, 'my cat is called Momo');
    await posted(1);
    await say(KEVIN_THERE, '/reset');
    expect(await posted(2)).toContain('is only for whoever I answered last and administrators');
    await say(KEVIN_THERE, 'hello from Kevin');
    await posted(3);
    await say(DAVID, '/reset');
    expect(await posted(4)).toContain('I have forgotten this conversation');
  });
});
