/** A session that fails its process again and again: it is given up, and what was said is not. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { Store } from '../../src/store/store.ts';
import { SCRIPTED_AGENT } from '../fixtures/scripted-agent.ts';
import { startApp, type TestApp } from './app.ts';
import { countIn, startModel } from './model.ts';
import { makeBotsFolder, waitFor } from './server.ts';

/** A store from which no transcript can be read for a resume, until it is repaired. */
function makeBadShelf() {
  const tried: string[] = [];
  let isBad = true;
  return {
    tried,
    repair(): void {
      isBad = false;
    },
    wrapStore: (store: Store): Store => ({
      ...store,
      transcripts: {
        ...store.transcripts,
        async load(sessionId, subpath) {
          tried.push(sessionId);
          if (isBad) throw new Error('the shelf is bad');
          return store.transcripts.load(sessionId, subpath);
        },
      },
    }),
  };
}

async function texts(app: TestApp, count: number): Promise<readonly string[]> {
  return (await app.replies('lobby', count)).map(({ text }) => text);
}

/** Oldest first. */
async function turnsOf(app: TestApp) {
  return (await app.parts.store.turns.recent('builtin:lobby:assistant' as never, 20)).toReversed();
}

async function endAgents(app: TestApp): Promise<void> {
  for (const { pid } of await app.parts.agents.census()) process.kill(pid, 'SIGKILL');
  await waitFor(async () => ((await app.parts.agents.census()).length === 0 ? true : null));
}

/** Nothing of any transcript is there. */
function withoutTranscripts(store: Store): Store {
  return { ...store, transcripts: { ...store.transcripts, load: async () => null } };
}

/** A bot that tells of a lost memory has been told of Momo, and its process is gone. */
async function startWithMomo(
  wrapStore: (store: Store) => Store,
  facts: Readonly<Record<string, unknown>> = {},
) {
  const model = await startModel();
  const bots = makeBotsFolder({ bot_id: 'assistant', default: true, recap: true, ...facts });
  const env = { ...model.env, BOTS_DIRS: bots, SPARE_AGENTS: '0' };
  const app = await startApp({ clock: systemClock, env, wrapStore });
  await app.say('lobby', 'my cat is called Momo');
  await texts(app, 1);
  await endAgents(app);
  return { model, app };
}

describe('a session that fails to resume twice', () => {
  it('is quarantined in the same turn: the next one is told what was said, the room once, and the dead id rests', async () => {
    const shelf = makeBadShelf();
    const { model, app } = await startWithMomo(shelf.wrapStore);

    await app.say('lobby', 'who is my cat?');
    const [, notice, reply] = await texts(app, 3);
    expect(notice).toContain('I lost the memory of our earlier conversation');
    expect(reply).toContain('You said: “who is my cat?”');
    const [dead, second] = await turnsOf(app);
    expect(shelf.tried).toEqual([dead?.sessionId, dead?.sessionId]);
    expect(second).toMatchObject({ tier: 'cold', reason: 'its session failed twice', attempt: 1 });
    // Its memory of the time before is what our own rows say.
    const asked = model.requests().at(-1);
    expect(countIn(asked, '<recap>')).toBe(1);
    expect(countIn(asked, 'my cat is called Momo')).toBeGreaterThan(0);

    await app.say('lobby', 'and my dog is Rex');
    await texts(app, 4);
    await endAgents(app);
    shelf.repair();
    await app.say('lobby', 'are you there?');
    expect((await texts(app, 5)).slice(3)).toEqual([
      expect.stringContaining('You said: “and my dog is Rex”'),
      expect.stringContaining('1. “who is my cat?” 2. “and my dog is Rex”'),
    ]);
    const [, , third, fourth] = await turnsOf(app);
    expect([third?.tier, fourth?.tier]).toEqual(['hot', 'warm']);
    expect(shelf.tried.slice(2)).toEqual([fourth?.sessionId]);
    expect(fourth?.sessionId).not.toBe(dead?.sessionId);
  });

  it('says nothing of it to the room of a bot whose file does not want that', async () => {
    const bots = makeBotsFolder({
      bot_id: 'assistant',
      default: true,
      env: { SCRIPTED_AGENT: 'dies-on-resume' },
    });
    const env = { OFFLINE_MODEL: 'on', BOTS_DIRS: bots, SPARE_AGENTS: '0' };
    const app = await startApp({ clock: systemClock, env, agentExecutable: SCRIPTED_AGENT });
    for (const [index, text] of ['one for you', 'two for you', 'three for you'].entries()) {
      await app.say('lobby', text);
      expect((await texts(app, index + 1)).at(-1)).toContain(`You said: “${text}”`);
      await endAgents(app);
    }
    const turns = await turnsOf(app);
    expect(turns.map(({ tier, attempt }) => `${tier} ${attempt}`)).toEqual(['cold 1', 'cold 1', 'cold 1']);
    expect(new Set(turns.map(({ sessionId }) => sessionId)).size).toBe(3);
    const metrics = await app.parts.telemetry.metrics.registry.metrics();
    expect(metrics).toContain('firekeeper_agent_starts_total{kind="resumed",result="failed"} 4');
  });
});

describe('a session that its process finds gone', () => {
  it('is lost in the same turn, and what was said before is told though the first try of that fails', async () => {
    const { model, app } = await startWithMomo(withoutTranscripts);
    await app.say('lobby', 'who is my cat? think for 30 seconds');
    await waitFor(() => (countIn(model.requests().at(-1), 'think for 30 seconds') > 0 ? true : null));
    expect(countIn(model.requests().at(-1), '<recap>')).toBe(1);
    model.setScript(() => ({ kind: 'text', text: 'It is Momo.', delayMs: 0 }));
    await endAgents(app);

    expect((await texts(app, 3)).slice(1)).toEqual([
      expect.stringContaining('I lost the memory of our earlier conversation'),
      'It is Momo.',
    ]);
    expect(countIn(model.requests().at(-1), '<recap>')).toBe(1);
    const turns = await turnsOf(app);
    expect(turns.map(({ tier, outcome }) => `${tier} ${outcome}`)).toEqual([
      'cold answered',
      'cold died',
      'cold answered',
    ]);
    expect(turns[1]?.reason).toBe('its session could not be resumed');
  });

  it('is told to the room once, by the turn with which the new one takes hold', async () => {
    const { model, app } = await startWithMomo(withoutTranscripts, { turn_timeout_seconds: 3 });
    model.setScript(() => ({ kind: 'text', text: 'Too late.', delayMs: 60_000 }));
    await app.say('lobby', 'who is my cat?');
    await waitFor(() => (countIn(model.requests().at(-1), 'who is my cat?') > 0 ? true : null));
    // It minds no interrupt and is ended: nothing of this turn is remembered, so the next one starts afresh too.
    for (const { pid } of await app.parts.agents.census()) process.kill(pid, 'SIGSTOP');
    await texts(app, 2);
    model.setScript(() => ({ kind: 'text', text: 'It is Momo.', delayMs: 0 }));
    await app.say('lobby', 'and now?');
    const said = await texts(app, 4);
    expect(said.slice(1)).toEqual([
      expect.stringContaining('⏱'),
      expect.stringContaining('I lost the memory of our earlier conversation'),
      'It is Momo.',
    ]);
    expect((await turnsOf(app)).map(({ tier, outcome }) => `${tier} ${outcome}`)).toEqual([
      'cold answered',
      'cold timed-out',
      'cold answered',
    ]);
  });
});
