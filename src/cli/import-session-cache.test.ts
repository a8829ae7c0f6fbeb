import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { makeTempFolder } from '../../test/setup/temp.ts';
import { systemClock } from '../base/clock.ts';
import { newEntryId, newSessionId } from '../base/ids.ts';
import { toLocalTime } from '../base/local-time.ts';
import type { ConversationKey, Instant, SessionId } from '../base/terms.ts';
import { openDataFolder } from '../data-folder.ts';
import { lockFolder } from '../store/sqlite/lock.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import { makeStore, type Store } from '../store/store.ts';
import { runCli } from './cli.ts';

const HOUR_MS = 3_600_000;

let cwd: string;
beforeEach(() => {
  cwd = makeTempFolder();
  write('.env', 'TIME_ZONE=Asia/Shanghai');
  write('bots/helper.yaml', 'bot_id: helper\nname: Helper\nsystem_prompt: Help.\n');
  write('bots/shy.yaml', 'bot_id: shy\nname: Shy\nsystem_prompt: Help.\nsession_scope: user\n');
  write('bots/old.yaml', 'bot_id: old\nname: Old\nsystem_prompt: Help.\nsession_ttl: never\n');
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(cwd, path)), { recursive: true });
  writeFileSync(join(cwd, path), text);
}

async function importAll(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCli(['import-session-cache', 'cache', '--transcripts', 'claude', ...args], {
    cwd,
    callerCwd: cwd,
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    start: async () => 0,
    doctorChecks: async () => null,
    openFolder: openDataFolder,
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}
async function report(...args: string[]) {
  const { code, out } = await importAll(...args, '--json');
  return { exit: code, ...JSON.parse(out) };
}

type CacheFacts = { room?: number | string; bot?: string; lastUsedAt?: Instant; sessionId?: SessionId };

/** A file of the predecessor, as it wrote them. */
function writeCache({ room = 7, bot = 'helper', lastUsedAt, sessionId = newSessionId() }: CacheFacts = {}) {
  const localTime = (at: Instant) => toLocalTime(at, 'Asia/Shanghai');
  const fields = {
    session_id: sessionId,
    room_id: room,
    bot_id: bot,
    last_used: localTime(lastUsedAt ?? systemClock.now() - HOUR_MS),
    created_at: localTime(systemClock.now() - 2 * HOUR_MS),
  };
  write(`cache/session_${room}_${bot}.json`, JSON.stringify(fields, null, 2));
  return sessionId;
}

function transcriptOf(...said: string[]) {
  return said.flatMap((text) => [
    { type: 'user', uuid: newEntryId(), message: { role: 'user', content: text } },
    {
      type: 'assistant',
      uuid: newEntryId(),
      message: { stop_reason: 'end_turn', content: [{ type: 'text', text: `You said ${text}` }] },
    },
  ]);
}
function writeTranscript(sessionId: SessionId, entries: readonly object[] = transcriptOf('hi')): void {
  const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  write(`claude/projects/-app/${sessionId}.jsonl`, lines);
}

async function withStore<Result>(work: (store: Store) => Promise<Result>): Promise<Result> {
  mkdirSync(join(cwd, 'data'), { recursive: true });
  const database = await openSqlite(join(cwd, 'data/firekeeper.sqlite'), systemClock);
  try {
    return await work(makeStore(database, systemClock, { holder: 'test', leaseMs: 30_000 }));
  } finally {
    await database.close();
  }
}
const currentOf = (key: string) => withStore((store) => store.sessions.current(key as ConversationKey));

describe('a conversation of the predecessor', () => {
  test('is taken in with its transcript, up to its last answered turn', async () => {
    const sessionId = writeCache();
    const entries = [
      ...transcriptOf('hi', 'and?'),
      { type: 'user', uuid: newEntryId(), message: { content: 'cut' } },
    ];
    writeTranscript(sessionId, entries);

    expect(await report()).toEqual({
      exit: 0,
      ok: true,
      imported: [{ file: 'session_7_helper.json', key: 'builtin:7:helper', session_id: sessionId, turns: 2 }],
      skipped: [],
    });
    const record = await currentOf('builtin:7:helper');
    expect(record).toMatchObject({
      sessionId,
      state: 'active',
      settledEntry: entries[3]?.uuid,
      turnCount: 2,
      costUsd: 0,
    });
    const age = systemClock.now() - (record?.createdAt ?? 0);
    expect(age).toBeGreaterThanOrEqual(2 * HOUR_MS);
    expect(age).toBeLessThan(2 * HOUR_MS + 60_000);
    expect(await withStore((store) => store.transcripts.load(sessionId, null))).toEqual(entries);
    expect(existsSync(join(cwd, 'data/lock.json'))).toBe(false);
  });

  test('belongs to the Campfire that is configured, and to the same one ever after', async () => {
    write('.env', 'CAMPFIRE_URL=https://chat.example.com\nOFFLINE_MODEL=on');
    writeTranscript(writeCache());
    const [{ key }] = (await report()).imported;
    expect(key).toMatch(/^campfire:[\w-]+:7:helper$/);
    writeTranscript(writeCache({ room: 8 }));
    expect((await report()).imported).toMatchObject([{ key: key.replace(':7:', ':8:') }]);
  });

  test('is left out when it is here already', async () => {
    writeTranscript(writeCache());
    await report();
    expect(await report()).toMatchObject({
      exit: 0,
      imported: [],
      skipped: [{ reason: 'already_imported' }],
    });
  });

  test('never replaces a session that is here, unless it is told to', async () => {
    writeTranscript(writeCache());
    await report();
    const other = writeCache();
    writeTranscript(other);
    expect(await report()).toMatchObject({ exit: 0, skipped: [{ reason: 'has_session' }] });
    expect(await report('--force')).toMatchObject({ exit: 0, imported: [{ session_id: other }] });
    expect((await currentOf('builtin:7:helper'))?.sessionId).toBe(other);
  });

  test('of which two files claim one session goes to the first alone', async () => {
    const sessionId = writeCache({ room: 1 });
    writeCache({ room: 2, sessionId });
    writeTranscript(sessionId);
    expect(await report()).toMatchObject({
      imported: [{ key: 'builtin:1:helper' }],
      skipped: [{ file: 'session_2_helper.json', reason: 'already_imported' }],
    });
  });

  test('with ids that are no file names is found by what its file says', async () => {
    const sessionId = newSessionId();
    const now = toLocalTime(systemClock.now(), 'Asia/Shanghai');
    const fields = {
      session_id: sessionId,
      room_id: 'a/b:c',
      bot_id: 'helper',
      last_used: now,
      created_at: now,
    };
    write('cache/session_strange.json', JSON.stringify(fields));
    writeTranscript(sessionId);
    expect((await report()).imported).toMatchObject([{ key: 'builtin:a%2Fb%3Ac:helper' }]);
  });
});

describe('what cannot be taken in is told by file and reason, and changes nothing', () => {
  const now = '2026-01-01T00:00:00';
  const fields = {
    session_id: newSessionId(),
    room_id: 7,
    bot_id: 'helper',
    last_used: now,
    created_at: now,
  };
  test.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['a field that is missing', JSON.stringify({ ...fields, bot_id: undefined })],
    ['an id that is none', JSON.stringify({ ...fields, session_id: '../../etc/passwd' })],
    ['a time that is none', JSON.stringify({ ...fields, last_used: 'yesterday' })],
    ['half a character', JSON.stringify({ ...fields, room_id: '\ud800' })],
  ])('corrupt: %s', async (_title, text) => {
    write('cache/session_7_helper.json', text);
    write('claude/projects/x/y.jsonl', '');
    expect(await report()).toMatchObject({
      exit: 1,
      ok: false,
      imported: [],
      skipped: [{ file: 'session_7_helper.json', reason: 'corrupt', detail: expect.any(String) }],
    });
  });

  test.each<[string, CacheFacts, string, number]>([
    ['a bot that nobody has', { bot: 'nobody' }, 'unknown_bot', 1],
    ['a bot that keeps people apart', { bot: 'shy' }, 'per_user', 1],
    ['a session without a transcript', { sessionId: newSessionId() }, 'no_transcript', 1],
    ['one that expired', { lastUsedAt: systemClock.now() - 25 * HOUR_MS }, 'expired', 0],
  ])('%s', async (_title, facts, reason, exit) => {
    const sessionId = writeCache(facts);
    writeTranscript(facts.sessionId === undefined ? sessionId : newSessionId());
    expect(await report()).toMatchObject({ exit, imported: [], skipped: [{ reason }] });
  });

  test('a transcript that is not whole', async () => {
    writeTranscript(writeCache(), [{ type: 'user', uuid: newEntryId(), message: { content: 'hi' } }]);
    expect(await report()).toMatchObject({
      exit: 1,
      skipped: [{ reason: 'bad_transcript', detail: 'it holds no turn that was answered' }],
    });
  });

  test('and one that never expires is taken in however old it is', async () => {
    writeTranscript(writeCache({ bot: 'old', lastUsedAt: Date.UTC(2025, 0, 1) }));
    expect(await report()).toMatchObject({ exit: 0, imported: [{ key: 'builtin:7:old' }] });
  });

  test('people read it line by line', async () => {
    writeTranscript(writeCache({ room: 1 }));
    writeCache({ room: 2 });
    const { code, out } = await importAll();
    expect(code).toBe(1);
    expect(out).toMatch(/^ {2}✓ session_1_helper\.json: builtin:1:helper, 1 turns$/m);
    expect(out).toMatch(/^ {2}✗ session_2_helper\.json: there is no [\w-]+\.jsonl$/m);
    expect(out).toMatch(/^1 taken in, 1 left out\.$/m);
  });
});

describe('nothing is done', () => {
  test('while a server runs', async () => {
    writeTranscript(writeCache());
    mkdirSync(join(cwd, 'data'));
    const lock = await lockFolder(join(cwd, 'data'), systemClock);
    onTestFinished(() => lock.release());
    const { code, err } = await importAll();
    expect(code).toBe(1);
    expect(err).toMatch(/is in use by process \d+ .*: stop it first/);
    expect(existsSync(join(cwd, 'data/firekeeper.sqlite'))).toBe(false);
  });

  test.each([
    ['there is no folder', () => {}, /cache cannot be read/],
    ['there is no session file in it', () => write('cache/notes.txt', ''), /there is no session_\*\.json/],
  ])('when %s', async (_title, prepare, told) => {
    prepare();
    const { code, err } = await importAll();
    expect(code).toBe(1);
    expect(err).toMatch(told);
  });

  test('when there is no folder of transcripts', async () => {
    writeCache();
    expect((await importAll()).err).toMatch(/claude cannot be read/);
    expect(readFileSync(join(cwd, 'cache/session_7_helper.json'), 'utf8')).toContain('helper');
  });
});
