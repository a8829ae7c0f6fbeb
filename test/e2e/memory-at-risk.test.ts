/** What a session's memory meets while it is made: entries that do not reach the store, an id that is in use. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { Store } from '../../src/store/store.ts';
import { answerTo, makeWorld, say } from './agent-world.ts';
import { startApp } from './app.ts';

/** A store that takes no entries of transcripts of which it is told so. */
function makeFullShelf() {
  let refuses = (_entries: string): boolean => false;
  return {
    refuse(which: (entries: string) => boolean): void {
      refuses = which;
    },
    wrapStore: (store: Store): Store => ({
      ...store,
      transcripts: {
        ...store.transcripts,
        async append(owner, sessionId, subpath, entries) {
          if (refuses(JSON.stringify(entries))) throw new Error('the shelf is full');
          return store.transcripts.append(owner, sessionId, subpath, entries);
        },
      },
    }),
  };
}

describe('a turn whose entries do not reach the store', () => {
  it.each<[string, (entries: string) => boolean]>([
    ['at all', () => true],
    ['with its message, though its answer does', (entries) => entries.includes('"type":"user"')],
  ])('%s is answered, and the next one goes on from the last that did', async (_name, which) => {
    const shelf = makeFullShelf();
    const env = { OFFLINE_MODEL: 'on', SPARE_AGENTS: '0' };
    const app = await startApp({ clock: systemClock, env, wrapStore: shelf.wrapStore });
    await app.say('lobby', 'my cat is called Momo');
    await app.replies('lobby', 1);
    shelf.refuse(which);
    await app.say('lobby', 'my dog is called Rex');
    expect((await app.replies('lobby', 2)).at(-1)?.text).toContain('You said: “my dog is called Rex”');
    const metrics = await app.parts.telemetry.metrics.registry.metrics();
    expect(metrics).toMatch(/^firekeeper_memory_at_risk_total 1$/m);
    const session = await app.parts.store.sessions.current('builtin:lobby:assistant' as never);
    expect(session).toMatchObject({ turnCount: 1, memoryAtRiskAt: expect.any(Number) });

    shelf.refuse(() => false);
    await app.say('lobby', 'who are my animals?');
    const reply = (await app.replies('lobby', 3)).at(-1)?.text;
    expect(reply).toContain('message 2 of this conversation');
    expect(reply).toContain('1. “my cat is called Momo”');
    const [turn] = await app.parts.store.turns.recent('builtin:lobby:assistant' as never, 1);
    expect(turn).toMatchObject({ tier: 'warm', outcome: 'answered', attempt: 1 });
  });
});

describe('a new session whose id', () => {
  it('is in use starts all the same, in a home of its own, and knows nothing of the other', async () => {
    const { startNew, start } = await makeWorld();
    const first = await startNew();
    await say(first, 'my cat is called Momo');
    const second = await start({ kind: 'new', sessionId: first.sessionId });
    expect(await answerTo(second, 'who is my cat?')).toContain('message 1 of this conversation');
    expect(await answerTo(first, 'and you?')).toContain('1. “my cat is called Momo”');
  });
});
