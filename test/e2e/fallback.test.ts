/** Two endpoints with a key each: what one of them fails goes on with the other, and no key ever goes astray. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type MovableClock, makeMovableClock, startApp, type TestApp } from './app.ts';
import { startEndpoint, type TestEndpoint } from './endpoint.ts';
import { countIn } from './model.ts';
import { makeBotsFolder } from './server.ts';

type House = {
  readonly app: TestApp;
  readonly clock: MovableClock;
  readonly primary: TestEndpoint;
  readonly fallback: TestEndpoint;
};

async function startHouse(more: Readonly<Record<string, string>> = {}): Promise<House> {
  const primary = await startEndpoint('sk-of-the-primary');
  const fallback = await startEndpoint('sk-of-the-fallback');
  const clock = makeMovableClock(systemClock.now());
  const env = {
    ANTHROPIC_BASE_URL: primary.url,
    ANTHROPIC_API_KEY: primary.key,
    ANTHROPIC_BASE_URL_FALLBACK: fallback.url,
    ANTHROPIC_API_KEY_FALLBACK: fallback.key,
    SPARE_AGENTS: '0',
    ...more,
  };
  return { app: await startApp({ clock, env }), clock, primary, fallback };
}

const MINUTE = 60_000;
function pass({ clock }: House, minutes: number): void {
  clock.set(clock.now() + minutes * MINUTE);
}

/** Says something and reads the answer to it, which is the room's `count`-th. */
async function ask({ app }: House, room: string, text: string, count: number): Promise<string> {
  await app.say(room, text);
  return (await app.replies(room, count)).at(-1)?.text ?? '';
}

/** Oldest first. */
async function turnsOf({ app }: House, room: string) {
  const turns = await app.parts.store.turns.recent(`builtin:${room}:assistant` as never, 20);
  return turns.toReversed().map(({ tier, outcome }) => `${tier} ${outcome}`);
}

async function circuitOf({ app }: House): Promise<string | undefined> {
  const metrics = await app.parts.telemetry.metrics.registry.metrics();
  return /^firekeeper_primary_circuit_open (\S+)$/m.exec(metrics)?.[1];
}

function expectOwnKeysOnly({ primary, fallback }: House): void {
  for (const [one, other] of [
    [primary, fallback],
    [fallback, primary],
  ] as const) {
    const posts = one.visits().filter(({ whole }) => whole.startsWith('POST'));
    expect(posts.length).toBeGreaterThan(0);
    expect(new Set(posts.map(({ key }) => key))).toEqual(new Set([one.key]));
    expect(one.visits().filter(({ whole }) => whole.includes(other.key))).toEqual([]);
  }
}

describe('a primary endpoint that fails a conversation', () => {
  it.each([529, 401])(
    'with %s hands it over to the fallback in the same breath, and gets it back when it is well',
    async (status) => {
      const house = await startHouse();
      const { primary, fallback } = house;
      await Promise.all([
        ask(house, 'moving', 'my cat is called Momo', 1),
        ask(house, 'staying', 'my dog is called Rex', 1),
      ]);
      expect(fallback.visits()).toEqual([]);

      primary.refuse(status, 'Momo');
      const moved = await ask(house, 'moving', 'who is my cat?', 2);
      expect(moved).toContain('1. “my cat is called Momo”');
      expect(moved).toContain('message 2 of this conversation');
      // The attempt that failed is no part of what the fallback is told.
      expect(countIn(fallback.model.requests().at(-1), 'who is my cat?')).toBe(1);
      // Nobody else has moved, and whoever has stays for a while, without asking the primary again.
      const asked = primary.model.requests().length;
      expect(await ask(house, 'staying', 'who is my dog?', 2)).toContain('1. “my dog is called Rex”');
      expect(primary.model.requests()).toHaveLength(asked + 1);
      await ask(house, 'moving', 'are you still there?', 3);
      expect(await turnsOf(house, 'staying')).toEqual(['cold answered', 'hot answered']);

      primary.mend();
      pass(house, 6);
      const back = await ask(house, 'moving', 'and who is it now?', 4);
      expect(back).toContain('1. “my cat is called Momo” 2. “who is my cat?” 3. “are you still there?”');
      expect(countIn(primary.model.requests().at(-1), 'and who is it now?')).toBe(1);
      expect(await turnsOf(house, 'moving')).toEqual([
        'cold answered',
        `hot api-error-${status}`,
        'warm answered',
        'hot answered',
        'warm answered',
      ]);
      expectOwnKeysOnly(house);
    },
  );

  it('by its silence hands it over too', async () => {
    const house = await startHouse({ STUCK_AFTER_SECONDS: '2' });
    await ask(house, 'lobby', 'my cat is called Momo', 1);
    house.primary.model.breakNext({ kind: 'silent' });
    expect(await ask(house, 'lobby', 'who is my cat?', 2)).toContain('1. “my cat is called Momo”');
    expect(await turnsOf(house, 'lobby')).toEqual(['cold answered', 'hot silent', 'warm answered']);
    expect(house.fallback.model.requests()).toHaveLength(1);
    expectOwnKeysOnly(house);
  });

  it('after a tool has run has the fallback told of it, so that it need not run twice', async () => {
    const bot = { bot_id: 'assistant', default: true, tools: { builtin: ['Glob'] } };
    const house = await startHouse({ BOTS_DIRS: makeBotsFolder(bot) });
    await ask(house, 'lobby', 'my cat is called Momo', 1);
    house.primary.refuse(529, 'tool_result');
    await ask(house, 'lobby', 'use tool Glob with {"pattern":"*"}', 2);
    expect(await turnsOf(house, 'lobby')).toEqual(['cold answered', 'hot api-error-529', 'warm answered']);
    const [first] = house.fallback.model.requests();
    expect(JSON.stringify(first)).toMatch(/Glob\. Check what they did/);
    expect(countIn(first, 'my cat is called Momo')).toBeGreaterThan(0);
    expectOwnKeysOnly(house);
  });

  it('is told apart from a fallback that fails too: the room hears of it once', async () => {
    const house = await startHouse();
    house.primary.refuse(401);
    house.fallback.refuse(401);
    expect(await ask(house, 'lobby', 'is anybody there?', 1)).toContain('connection trouble');
    expect(await turnsOf(house, 'lobby')).toEqual(['cold api-error-401', 'cold api-error-401']);
    expect(await house.app.replies('lobby', 1)).toHaveLength(1);
    expectOwnKeysOnly(house);
  });
});

describe('a primary endpoint that is down', () => {
  it('is left alone once it failed three times, is tried again by one turn, and then has everybody back', async () => {
    const house = await startHouse();
    const { primary, fallback } = house;
    const rooms = ['one', 'two', 'three'];
    await Promise.all(rooms.map((room) => ask(house, room, `this is room ${room}`, 1)));
    await primary.close();
    const moved = await Promise.all(rooms.map((room) => ask(house, room, 'where are we?', 2)));
    expect(moved).toEqual(rooms.map((room) => expect.stringContaining(`1. “this is room ${room}”`)));

    expect(await circuitOf(house)).toBe('1');

    // It would answer again, but nobody knows.
    await primary.open();
    const asked = primary.visits().length;
    expect(await ask(house, 'four', 'where is everybody?', 1)).toContain('You said: “where is everybody?”');
    expect(primary.visits()).toHaveLength(asked);
    expect(fallback.model.requests()).toHaveLength(4);

    pass(house, 1.1);
    primary.refuse(529);
    expect(await ask(house, 'four', 'is it well again?', 2)).toContain('1. “where is everybody?”');
    expect((await turnsOf(house, 'four')).slice(1)).toEqual(['warm api-error-529', 'warm answered']);
    primary.mend();
    const afterProbe = primary.visits().length;
    await ask(house, 'five', 'is it well by now?', 1);
    expect(primary.visits()).toHaveLength(afterProbe);

    pass(house, 1.1);
    await ask(house, 'five', 'and by now?', 2);
    expect(countIn(primary.model.requests().at(-1), 'and by now?')).toBe(1);
    pass(house, 5);
    const back = await ask(house, 'one', 'are we back?', 3);
    expect(back).toContain('1. “this is room one” 2. “where are we?”');
    expect(countIn(primary.model.requests().at(-1), 'are we back?')).toBe(1);
    expect(await circuitOf(house)).toBe('0');
    expectOwnKeysOnly(house);
  });
});
