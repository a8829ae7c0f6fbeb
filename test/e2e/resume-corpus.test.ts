/** Stored sessions in every bad state that we know of: each ends in its tier within one turn. */
import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer, withDatabase } from './server.ts';

const ENV = { SPARE_AGENTS: '0', FLOOD_LIMITS: 'off' };
const PAST = ['my cat is called Momo', 'my dog is called Rex', 'my fish is called Bo'];

/**
 * `kept`: it is resumed and remembers. `lost`, `quarantined`: it starts afresh, because there was nothing to resume, or
 * because its process could not, twice.
 */
type Case = {
  readonly name: string;
  readonly ends: 'lost' | 'quarantined' | 'kept';
  /** What was done to the rows of a conversation while its server was down. */
  damage(session: string, database: DatabaseSync, neighbour: string): void;
};

const run = (database: DatabaseSync, sql: string, ...values: readonly (string | number)[]) =>
  expect(database.prepare(sql).run(...values).changes).toBeGreaterThan(0);

const CORPUS: readonly Case[] = [
  lost('is missing', 'DELETE FROM transcript_entries WHERE session_id = ?'),
  lost('is empty', "UPDATE transcript_entries SET entry = '{}' WHERE session_id = ?"),
  lost(
    'was truncated before its settled turn',
    'DELETE FROM transcript_entries WHERE session_id = ? AND position > 8',
  ),
  lost(
    'does not hold its settled entry',
    "UPDATE sessions SET settled_entry = '00000000-0000-4000-8000-000000000000' WHERE session_id = ?",
  ),
  quarantined(
    'broke off in the middle of an entry',
    'UPDATE transcript_entries SET entry = substr(entry, 1, length(entry) / 2) WHERE session_id = ? AND position = 8',
  ),
  quarantined(
    'holds what is no entry',
    "UPDATE transcript_entries SET entry = 'Momo is my cat' WHERE session_id = ? AND position = 8",
  ),
  {
    name: "is another conversation's",
    ends: 'lost',
    damage(session, database, neighbour) {
      run(database, 'DELETE FROM transcript_entries WHERE session_id = ?', session);
      run(
        database,
        'INSERT INTO transcript_entries SELECT ?, subpath, position, uuid, entry FROM transcript_entries WHERE session_id = ?',
        ...[session, neighbour],
      );
    },
  },
  {
    name: 'was written in another working directory',
    ends: 'kept',
    damage: (session, database) =>
      run(
        database,
        "UPDATE transcript_entries SET entry = json_set(entry, '$.cwd', '/nowhere/else') WHERE session_id = ? AND json_extract(entry, '$.cwd') IS NOT NULL",
        session,
      ),
  },
  {
    name: 'ends in a tool call without a result, which no turn settled',
    ends: 'kept',
    damage: (session, database) => void addToolCall(session, database),
  },
  {
    name: 'was settled at a tool call without a result',
    ends: 'kept',
    damage(session, database) {
      const call = addToolCall(session, database);
      run(database, 'UPDATE sessions SET settled_entry = ? WHERE session_id = ?', call, session);
    },
  },
  {
    name: 'holds 12 MB, most of it of attempts that were dropped',
    ends: 'kept',
    damage(session, database) {
      const [first] = entriesOf(session, database).filter(({ uuid }) => uuid !== null);
      run(
        database,
        'UPDATE transcript_entries SET position = position + 100 WHERE session_id = ? AND position > 3',
        session,
      );
      for (let at = 0; at < 12; at += 1) {
        const text = 'a dropped attempt '.repeat(60_000);
        const message = { role: 'user', content: text };
        addEntry(session, database, 50 + at, { type: 'user', parentUuid: first?.uuid, message });
      }
    },
  },
];

function lost(name: string, sql: string): Case {
  return { name, ends: 'lost', damage: (session, database) => run(database, sql, session) };
}

function quarantined(name: string, sql: string): Case {
  return { ...lost(name, sql), ends: 'quarantined' };
}

function entriesOf(session: string, database: DatabaseSync) {
  return database
    .prepare('SELECT uuid, entry FROM transcript_entries WHERE session_id = ? ORDER BY position')
    .all(session)
    .map(({ uuid, entry }) => ({ uuid: uuid === null ? null : String(uuid), entry: String(entry) }));
}

/** Of the kind that the process writes; its uuid. */
function addEntry(
  session: string,
  database: DatabaseSync,
  position: number,
  fields: Readonly<Record<string, unknown>>,
): string {
  const model = entriesOf(session, database).find(({ entry }) => JSON.parse(entry).type === fields.type);
  const uuid = randomUUID();
  const entry = JSON.stringify({
    ...JSON.parse(model?.entry ?? '{}'),
    ...fields,
    uuid,
    promptSource: undefined,
  });
  run(
    database,
    "INSERT INTO transcript_entries (session_id, subpath, position, uuid, entry) VALUES (?, '', ?, ?, ?)",
    ...[session, position, uuid, entry],
  );
  return uuid;
}

function addToolCall(session: string, database: DatabaseSync): string {
  const last = entriesOf(session, database).findLast(({ uuid }) => uuid !== null);
  const content = [{ type: 'tool_use', id: 'toolu_dangling', name: 'Glob', input: { pattern: '*' } }];
  const message = { id: 'msg_dangling', type: 'message', role: 'assistant', model: 'offline', content };
  return addEntry(session, database, 200, { type: 'assistant', parentUuid: last?.uuid, message });
}

describe('a conversation whose stored transcript', () => {
  const cases = CORPUS.map((one, index) => ({ ...one, room: index + 1 }));
  let server: TestServer;

  beforeAll(async () => {
    const before = await startServer({ shared: true, env: ENV });
    for (const [index, text] of PAST.entries()) {
      await Promise.all(cases.map(({ room }) => before.say(room, text)));
      await Promise.all(cases.map(({ room }) => before.replies(room, index + 1, 60_000)));
    }
    await before.end();
    withDatabase(before.dataDir, (database) => {
      const sessionOf = database.prepare('SELECT session_id FROM sessions WHERE room_id = ?');
      const idOf = (room: number) => String(sessionOf.get(String(room))?.session_id);
      for (const { room, damage } of cases) damage(idOf(room), database, idOf(room + 1));
    });
    server = await startServer({ shared: true, dataDir: before.dataDir, env: ENV });
    server.mayNotBeLogged('Momo', 'Rex');
  }, 120_000);
  afterAll(() => server.end());

  it.each(cases)('$name is $ends, in one turn', async ({ room, ends }) => {
    await server.say(room, 'who are my animals?');
    const reply = (await server.replies(room, PAST.length + 1)).at(-1)?.text;
    expect(reply).toContain('You said: “who are my animals?”');
    expect(reply).toContain(`message ${ends === 'kept' ? PAST.length + 1 : 1} of this conversation`);
    const [turn, former] = await server.turns(room);
    expect(turn).toMatchObject({ tier: ends === 'kept' ? 'warm' : 'cold', outcome: 'answered', attempt: 1 });
    expect(turn?.session_id === former?.session_id).toBe(ends === 'kept');
    const ended = server.rows(
      `SELECT state FROM sessions WHERE room_id = '${room}' AND ended_at IS NOT NULL`,
    );
    expect(ended).toEqual(ends === 'kept' ? [] : [{ state: ends }]);

    await server.say(room, 'and now?');
    const next = (await server.replies(room, PAST.length + 2)).at(-1)?.text;
    expect(next).toContain(`“who are my animals?”`);
    expect((await server.turns(room))[0]).toMatchObject({ tier: 'hot', attempt: 1 });
    expect(await server.turns(room)).toHaveLength(PAST.length + 2);
  });
});
