/** Memory that was lost, and memory that somebody wants gone. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startModel } from './model.ts';
import { startServer, type TestServer, waitFor, withDatabase } from './server.ts';

function entriesOf(server: TestServer): number {
  return Number(server.rows('SELECT count(*) AS count FROM transcript_entries')[0]?.count);
}

/** What was done to the rows of a conversation while its server was down. */
const DAMAGES: readonly (readonly [string, string])[] = [
  ['whose transcript is gone', 'DELETE FROM transcript_entries WHERE session_id = ?'],
  [
    'whose transcript ends before its settled turn',
    'DELETE FROM transcript_entries WHERE session_id = ? AND position > 8',
  ],
  [
    'whose settled entry is another',
    "UPDATE sessions SET settled_entry = '00000000-0000-4000-8000-000000000000' WHERE session_id = ?",
  ],
  [
    'whose transcript broke off in the middle of an entry',
    'UPDATE transcript_entries SET entry = substr(entry, 1, length(entry) / 2) WHERE session_id = ? AND position = 8',
  ],
  [
    'whose transcript holds what is no entry',
    "UPDATE transcript_entries SET entry = 'Momo is my cat' WHERE session_id = ? AND position = 8",
  ],
];

describe('a stored session that cannot be resumed', () => {
  const PAST = ['my cat is called Momo', 'my dog is called Rex', 'my fish is called Bo'];
  const rooms = DAMAGES.map(([name], index) => ({ name, room: index + 1 }));
  let server: TestServer;

  beforeAll(async () => {
    const before = await startServer({ shared: true });
    for (const [index, text] of PAST.entries()) {
      await Promise.all(rooms.map(({ room }) => before.say(room, text)));
      await Promise.all(rooms.map(({ room }) => before.replies(room, index + 1)));
    }
    await before.end();
    withDatabase(before.dataDir, (database) => {
      const sessionOf = database.prepare('SELECT session_id FROM sessions WHERE room_id = ?');
      for (const [index, [, damage]] of DAMAGES.entries()) {
        const session = sessionOf.get(String(index + 1))?.session_id;
        expect(database.prepare(damage).run(String(session)).changes).toBeGreaterThan(0);
      }
    });
    server = await startServer({ shared: true, dataDir: before.dataDir });
    server.mayNotBeLogged('Momo', 'Rex');
  });
  afterAll(() => server.end());

  it.each(rooms)('$name is answered cold in the same turn', async ({ room }) => {
    await server.say(room, 'who are my animals?');
    const reply = (await server.replies(room, PAST.length + 1)).at(-1);
    expect(reply?.text).toContain('You said: “who are my animals?”');
    expect(reply?.text).toContain('message 1 of this conversation');
    const [turn, former] = await server.turns(room);
    expect(turn).toMatchObject({ tier: 'cold', outcome: 'answered', attempt: 1 });
    expect(turn?.session_id).not.toBe(former?.session_id);

    await server.say(room, 'and now?');
    expect((await server.replies(room, PAST.length + 2)).at(-1)?.text).toContain('1. “who are my animals?”');
    expect((await server.turns(room))[0]).toMatchObject({ tier: 'hot' });
    expect(await server.turns(room)).toHaveLength(PAST.length + 2);
  });
});

describe('forgetting a room', () => {
  it('leaves nothing of it, hot or not: no process, no transcript, no text, no folder', async () => {
    const server = await startServer({ env: { SPARE_AGENTS: '0' } });
    await server.say(1, 'my cat is called Momo');
    await server.say(2, 'this room stays here');
    await Promise.all([server.replies(1, 1), server.replies(2, 1)]);
    const workspace = join(server.dataDir, 'workspaces', 'builtin', 'assistant', '1');
    expect(existsSync(workspace)).toBe(true);
    const before = entriesOf(server);

    const cleared = await server.api('/session/clear/room/1', { method: 'POST' });
    expect(await cleared.json()).toMatchObject({ status: 'success', cleared: 1 });
    expect(entriesOf(server)).toBe(before / 2);
    expect(await server.family()).toHaveLength(1);
    expect(existsSync(workspace)).toBe(false);
    const texts = server.rows(
      "SELECT text FROM inbox WHERE room_id = '1' UNION SELECT markdown FROM outbox WHERE room_id = '1'",
    );
    expect(texts).toEqual([{ text: '' }]);

    await server.say(1, 'who is my cat?');
    const reply = (await server.replies(1, 2)).at(-1);
    expect(reply?.text).toContain('message 1 of this conversation');
    expect(reply?.text).not.toContain('Momo');
    await server.say(2, 'do you remember?');
    expect((await server.replies(2, 2)).at(-1)?.text).toContain('1. “this room stays here”');
  });

  it('in the middle of a turn ends the turn, and its answer never comes', async () => {
    const model = await startModel();
    const server = await startServer({ env: model.env });
    await server.say(1, 'my cat is called Momo');
    await server.replies(1, 1);
    await server.say(1, 'think for 20 seconds about Momo');
    await waitFor(() => (model.requests().length === 2 ? true : null));
    await server.say(1, 'this one waits behind it');

    const cleared = await server.api('/session/clear/room/1', { method: 'POST' });
    expect(await cleared.json()).toMatchObject({ cleared: 1 });
    expect(entriesOf(server)).toBe(0);
    expect(server.rows('SELECT DISTINCT text FROM inbox')).toEqual([{ text: '' }]);

    await server.say(1, 'who is my cat?');
    const reply = await waitFor(async () => {
      const replies = await server.repliesSoFar(1);
      return replies.find(({ text }) => text.includes('You said: “who is my cat?”')) ?? null;
    });
    expect(reply.text).toContain('message 1 of this conversation');
    await waitFor(async () =>
      (await server.getJson<{ depth: number }>('/queue/stats')).depth === 0 ? true : null,
    );
    const states = server.rows('SELECT state, outcome FROM inbox ORDER BY id');
    expect(states).toEqual([
      { state: 'settled', outcome: 'answered' },
      expect.objectContaining({ state: expect.stringMatching(/buried|settled/) }),
      { state: 'buried', outcome: 'stopped' },
      { state: 'settled', outcome: 'answered' },
    ]);
    expect(
      (await server.repliesSoFar(1)).filter(({ text }) => /think for 20|waits behind/.test(text)),
    ).toEqual([]);
    expect(countMomo(model.requests().at(-1))).toBe(0);
  });

  it('of all rooms forgets each of them', async () => {
    const server = await startServer({ env: { SPARE_AGENTS: '0' } });
    await Promise.all([server.say(1, 'my cat is called Momo'), server.say(2, 'my dog is called Rex')]);
    await Promise.all([server.replies(1, 1), server.replies(2, 1)]);
    const cleared = await server.api('/session/clear/all', { method: 'POST' });
    expect(await cleared.json()).toMatchObject({
      status: 'success',
      message: 'All sessions cleared',
      cleared: 2,
    });
    expect(entriesOf(server)).toBe(0);
    expect(await server.family()).toEqual([]);
    await server.say(2, 'who is my dog?');
    expect((await server.replies(2, 2)).at(-1)?.text).toContain('message 1 of this conversation');
  });
});

function countMomo(request: unknown): number {
  return JSON.stringify(request).split('Momo').length - 1;
}
