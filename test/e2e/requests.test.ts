/** What the model is asked in the end: the requests that the real process sends, read at the endpoint. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { countIn, prefixOf, startModel } from './model.ts';
import { KEVIN, makeBotsFolder, startServer, waitFor, writeBot } from './server.ts';

/** The process sends it whatever a bot is given. */
const OWN_TOOL = 'DeferredToolPlaceholder';
const MCP_SERVER = fileURLToPath(new URL('mcp-server.ts', import.meta.url));

describe('the request of a turn', () => {
  it('begins with the same system prompt, tools and messages, hot or warm, tools used or not', async () => {
    const model = await startModel();
    const bots = makeBotsFolder({ bot_id: 'assistant', tools: { builtin: ['Glob', 'Grep'] } });
    const env = { ...model.env, BOTS_DIRS: bots };
    const first = await startServer({ env });
    const texts = ['one to begin with', 'use tool Glob with {"pattern":"*"}', 'three of the kind'];
    for (const [index, text] of texts.entries()) {
      await first.say(1, text, { bot: 'assistant', ...(index === 2 ? { user: KEVIN } : {}) });
      await first.replies(1, index + 1);
    }
    await first.kill();
    const second = await startServer({ env, dataDir: first.dataDir });
    for (const [index, text] of ['four after the kill', 'five and still hot'].entries()) {
      await second.say(1, text, { bot: 'assistant' });
      await second.replies(1, texts.length + index + 1);
    }

    expect((await second.turns(1)).map(({ tier }) => tier)).toEqual(['hot', 'warm', 'hot', 'hot', 'cold']);
    const prefixes = model.requests().map(prefixOf);
    expect(prefixes).toHaveLength(6);
    for (const [index, later] of prefixes.slice(1).entries()) {
      const earlier = prefixes[index];
      expect(later.system).toEqual(earlier?.system);
      expect(later.tools).toEqual(earlier?.tools);
      expect(later.messages.slice(0, earlier?.messages.length)).toEqual(earlier?.messages);
    }
  });

  it('holds a message once that met two overloaded answers before, in the first turn or a later one', async () => {
    async function meetTwoOverloads(earlier: readonly string[]): Promise<void> {
      const model = await startModel();
      const server = await startServer({ env: model.env });
      for (const [index, text] of earlier.entries()) {
        await server.say(1, text);
        await server.replies(1, index + 1);
      }
      // Twice as often as the process itself asks before it gives a turn up.
      model.breakNext({ kind: 'status', status: 529 }, 8);
      await server.say(1, 'is anybody there at all?');
      const replies = (await server.replies(1, earlier.length + 2, 50_000)).map(({ text }) => text);
      expect(replies.filter((text) => text.includes('This takes longer than usual'))).toHaveLength(1);
      expect(replies.filter((text) => /529|API Error/i.test(text))).toEqual([]);
      expect(countIn(model.requests().at(-1), 'is anybody there at all?')).toBe(1);
      for (const text of earlier) expect(replies.at(-1)).toContain(`“${text}”`);
      const turns = (await server.turns(1)).toReversed().slice(earlier.length);
      expect(turns.map(({ outcome, attempt }) => [outcome, attempt])).toEqual([
        ['api-error-529', 1],
        ['api-error-529', 2],
        ['answered', 3],
      ]);
    }
    await Promise.all([meetTwoOverloads([]), meetTwoOverloads(['my cat is called Momo'])]);
  });

  it('carries an edited prompt from the next message on, and still what was said before', async () => {
    const model = await startModel();
    const bot = { bot_id: 'assistant', system_prompt: 'You are a cook.', description: 'before the edit' };
    const bots = makeBotsFolder(bot);
    const server = await startServer({ env: { ...model.env, BOTS_DIRS: bots } });
    await server.say(1, 'my cat is called Momo', { bot: 'assistant' });
    await server.replies(1, 1);
    await server.say(1, 'and my dog is called Rex', { bot: 'assistant' });
    await server.replies(1, 2);

    writeBot(bots, { ...bot, system_prompt: 'You are a gardener.', description: 'after the edit' });
    await waitFor(async () => {
      const read = await server.getJson<{ bots: readonly { description: string }[] }>('/api/bots');
      return read.bots[0]?.description === 'after the edit' ? true : null;
    });
    await server.say(1, 'who are my animals?', { bot: 'assistant' });
    const [, , reply] = await server.replies(1, 3);
    expect(reply?.text).toContain('1. “my cat is called Momo” 2. “and my dog is called Rex”');

    const systems = model.requests().map(({ system }) => JSON.stringify(system));
    expect(systems[1]).toContain('You are a cook.');
    expect(systems[2]).toContain('You are a gardener.');
    expect(systems[2]).not.toContain('You are a cook.');
    const [edited, before] = await server.turns(1);
    expect(before).toMatchObject({ tier: 'hot' });
    expect(edited).toMatchObject({ tier: 'warm', reason: 'its bot was changed' });
  });

  it('changes with the model, the tools, the MCP servers and the environment of the bot file, and nothing is forgotten', async () => {
    const model = await startModel();
    const plain = { bot_id: 'assistant', model_config: { model: 'model-a' }, tools: { builtin: ['Glob'] } };
    const bots = makeBotsFolder({ ...plain, description: '0' });
    const server = await startServer({ env: { ...model.env, BOTS_DIRS: bots } });
    const edits = [
      { model_config: { model: 'model-b' } },
      { tools: { builtin: ['Grep'] } },
      { mcp_servers: { careless: { command: process.execPath, args: [MCP_SERVER] } } },
      { env: { GREETING: 'hello-to-the-agent' } },
    ];
    await server.say(1, 'my cat is called Momo', { bot: 'assistant' });
    await server.replies(1, 1);
    for (const [index, edit] of edits.entries()) {
      writeBot(bots, { ...plain, ...edit, description: `${index + 1}` });
      await waitFor(async () => {
        const read = await server.getJson<{ bots: readonly { description: string }[] }>('/api/bots');
        return read.bots[0]?.description === `${index + 1}` ? true : null;
      });
      await server.say(1, `edit ${index + 1}: who is my cat?`, { bot: 'assistant' });
      const replies = await server.replies(1, index + 2);
      expect(replies.at(-1)?.text).toContain('1. “my cat is called Momo”');
    }

    const asked = model.requests().map((request) => {
      const tools = (request.tools ?? []) as readonly { readonly name: string }[];
      return [request.model, tools.map(({ name }) => name).filter((name) => name !== OWN_TOOL)];
    });
    expect(asked).toEqual([
      ['model-a', ['Glob']],
      ['model-b', ['Glob']],
      ['model-a', ['Grep']],
      ['model-a', ['Glob', 'mcp__careless__wait']],
      ['model-a', ['Glob']],
    ]);
    const reasons = (await server.turns(1)).map(({ tier, reason }) => [tier, reason]);
    expect(reasons.slice(0, 4)).toEqual(Array(4).fill(['warm', 'its bot was changed']));
    if (process.platform === 'linux') {
      // A spare is among them, which has not heard of the edit.
      const environments = (await server.family()).map(({ pid }) =>
        readFileSync(`/proc/${pid}/environ`, 'utf8'),
      );
      expect(environments.join()).toContain('GREETING=hello-to-the-agent');
    }
  });
});
