/** Messages that come while a turn runs, for bots that do not simply let them wait. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { countIn, startModel, type TestModel } from './model.ts';
import { DAVID, KEVIN, makeBotsFolder, startServer, type TestServer, waitFor } from './server.ts';

async function startWith(
  doubleTexting: string,
): Promise<{ readonly model: TestModel; readonly server: TestServer }> {
  const model = await startModel();
  const bots = makeBotsFolder({ bot_id: 'assistant', default: true, double_texting: doubleTexting });
  const server = await startServer({ env: { ...model.env, BOTS_DIRS: bots, SPARE_AGENTS: '0' } });
  return { model, server };
}

/** Once the model has been asked with this text. */
function asked(model: TestModel, text: string) {
  return waitFor(() => (model.requests().some((request) => countIn(request, text) > 0) ? true : null));
}

async function textsOf(server: TestServer, count: number): Promise<readonly string[]> {
  return (await server.replies(1, count)).map(({ text }) => text);
}

async function outcomesOf(server: TestServer) {
  const turns = (await server.turns(1)).toReversed();
  return turns.map(({ outcome, start, inbox_ids }) => [outcome, start, inbox_ids.length]);
}

describe('merge', () => {
  it('makes one turn with one answer of all that one person has waiting', async () => {
    const { model, server } = await startWith('merge');
    await server.say(1, 'first: think for 2 seconds');
    await asked(model, 'first: think');
    for (const text of ['second of David', 'third of David']) await server.say(1, text, { user: DAVID });
    await server.say(1, 'the one of Kevin', { user: KEVIN });
    await server.say(1, 'the last of David', { user: DAVID });

    const texts = await textsOf(server, 4);
    expect(texts.map((text) => /You said: “([^”]*)”/.exec(text)?.[1] ?? text.slice(0, 2))).toEqual([
      '⏳ ',
      'first: think for 2 seconds',
      'the last of David',
      'the one of Kevin',
    ]);
    expect(texts[2]).toContain('2. “second of David”');
    expect(texts[2]).toContain('3. “third of David”');
    expect(await outcomesOf(server)).toEqual([
      ['answered', 'new', 1],
      ['answered', 'reused', 3],
      ['answered', 'reused', 1],
    ]);
  });
});

describe('interrupt', () => {
  it('ends the running turn with what it has, in silence, and runs the new message on the same process', async () => {
    const { model, server } = await startWith('interrupt');
    await server.say(1, 'hello there, bot');
    await textsOf(server, 1);
    const [agent] = await server.family();

    const streamed = Promise.withResolvers<void>();
    const events = await server.api('/api/events');
    onTestFinished(() => events.body?.cancel());
    void readUntil(events, 'text.delta', streamed.resolve);
    model.setSpeed({ ttftMs: 0, tokensPerSecond: 10 });
    await server.say(1, `answer exactly: ${'One word follows another. '.repeat(40)}`);
    await streamed.promise;
    model.setSpeed({ ttftMs: 0, tokensPerSecond: null });
    await server.say(1, 'never mind, what is new?');

    const texts = await textsOf(server, 3);
    expect(texts[1]).toMatch(/^One word/);
    expect(texts[1]?.length).toBeLessThan(600);
    expect(texts[2]).toContain('You said: “never mind, what is new?”');
    expect(await outcomesOf(server)).toEqual([
      ['answered', 'new', 1],
      ['superseded', 'reused', 1],
      ['answered', 'reused', 1],
    ]);
    expect((await server.family())[0]?.pid).toBe(agent?.pid);
    expect(await server.repliesSoFar(1)).toHaveLength(3);
  });

  it('leaves a turn that had said nothing without a word, and later messages of one person are one turn', async () => {
    const { model, server } = await startWith('interrupt');
    await server.say(1, 'think for 30 seconds');
    await asked(model, 'think for 30');
    await Promise.all([server.say(1, 'the first thing'), server.say(1, 'the second thing')]);
    const [text] = await textsOf(server, 1);
    expect(text).toContain('You said: “the');
    expect(text).toMatch(/“the first thing”/);
    expect(text).toMatch(/“the second thing”/);
    expect((await outcomesOf(server)).map(([outcome, , messages]) => [outcome, messages])).toEqual([
      ['superseded', 1],
      ['answered', 2],
    ]);
    expect(await server.repliesSoFar(1)).toHaveLength(1);
  });
});

describe('reject', () => {
  it('turns away what comes while a turn runs, says so once, and answers what comes later', async () => {
    const { model, server } = await startWith('reject');
    await server.say(1, 'first: think for 2 seconds');
    await asked(model, 'first: think');
    for (const text of ['too early', 'still too early']) expect((await server.say(1, text)).status).toBe(200);
    expect(await textsOf(server, 2)).toEqual([
      expect.stringContaining('did not take this one'),
      expect.stringContaining('You said: “first: think for 2 seconds”'),
    ]);
    await waitFor(async () =>
      (await server.getJson<{ depth: number }>('/queue/stats')).depth === 0 ? true : null,
    );
    await server.say(1, 'and now, please?');
    const [, , last] = await textsOf(server, 3);
    expect(last).toContain('You said: “and now, please?”');
    expect(last).not.toContain('too early');
    expect(server.rows("SELECT text, state FROM inbox WHERE outcome = 'rejected' ORDER BY id")).toEqual([
      { text: 'too early', state: 'ignored' },
      { text: 'still too early', state: 'ignored' },
    ]);
  });
});

/** Reads server-sent events until one of this type has come. */
async function readUntil(events: Response, type: string, found: () => void): Promise<void> {
  const decoder = new TextDecoder();
  let read = '';
  for await (const chunk of events.body ?? []) {
    read += decoder.decode(chunk, { stream: true });
    if (read.includes(type)) return found();
  }
}
