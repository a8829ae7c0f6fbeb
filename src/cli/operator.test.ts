import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { accept, conversationIn, leaseOf, ledgerOf, recordOf, turnOf } from '../../test/contract/rows.ts';
import { ADMIN_TOKEN, openDoors } from '../../test/fixtures/front-doors.ts';
import { makeTempFolder } from '../../test/setup/temp.ts';
import { systemClock } from '../base/clock.ts';
import { newEntryId } from '../base/ids.ts';
import type { InboxId } from '../base/terms.ts';
import { openDataFolder } from '../data-folder.ts';
import { lockFolder } from '../store/sqlite/lock.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import { makeStore, type Store } from '../store/store.ts';
import { runCli } from './cli.ts';
import { ConnectionLost, makeServerClient } from './server-client.ts';

let cwd: string;
let dataDir: string;
beforeEach(() => {
  cwd = makeTempFolder();
  dataDir = join(cwd, 'data');
});

async function run(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCli(args, {
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
async function runJson(...args: string[]) {
  const { code, out } = await run(...args, '--json');
  return { exit: code, ...JSON.parse(out) };
}

const ENTRIES = ['a', 'b'].map((text) => ({ type: 'user', uuid: newEntryId(), text }));

/** Two conversations, one with a turn, a transcript and a dead message. */
async function fill(store: Store): Promise<InboxId> {
  for (const room of [1, 2]) {
    const lease = await leaseOf(store, room);
    const record = recordOf(room, { state: 'active', lastUsedAt: systemClock.now() - room * 60_000 });
    await store.sessions.begin(lease, record, null);
    if (room === 1) await store.transcripts.append(lease, record.sessionId, null, ENTRIES);
    await store.leases.release(lease);
  }
  const dead = await accept(store, { room: 1, text: 'first\nsecond', messageId: '41' });
  const lease = await leaseOf(store, 1);
  await store.inbox.claim(lease, 'one', newEntryId());
  await store.turns.transaction(lease, async (tx) => {
    await tx.inbox.bury([dead], 'attempts');
    await tx.ledger.add(ledgerOf(1));
    await tx.turns.add(turnOf(1));
  });
  await store.leases.release(lease);
  return dead;
}

async function openStore() {
  mkdirSync(dataDir, { recursive: true });
  const database = await openSqlite(join(dataDir, 'firekeeper.sqlite'), systemClock);
  const store = makeStore(database, systemClock, { holder: 'test', leaseMs: 30_000 });
  return { store, close: () => database.close() };
}

/** A server of this data folder, in this process; the lock and its name are the real ones. */
async function serve() {
  const { store, close } = await openStore();
  const doors = await openDoors({ views: store.views });
  await doors.http.listen({ host: '127.0.0.1', port: 0 });
  const lock = await lockFolder(dataDir, systemClock);
  await lock.announce(`http://127.0.0.1:${(doors.http.server.address() as AddressInfo).port}`);
  writeFileSync(join(dataDir, 'admin-token'), `${ADMIN_TOKEN}\n`);
  onTestFinished(async () => {
    await lock.release();
    await doors.close();
    await close();
  });
  return { store, doors };
}

async function lay() {
  const { store, close } = await openStore();
  const dead = await fill(store);
  await close();
  return dead;
}

describe.each(['a running server', 'the data folder itself'])('asked of %s', (whom) => {
  let dead: InboxId;
  beforeEach(async () => {
    dead = whom === 'a running server' ? await fill((await serve()).store) : await lay();
  });

  test('sessions list shows what is current, newest use first', async () => {
    const { exit, sessions, next } = await runJson('sessions', 'list');
    expect([exit, next]).toEqual([0, null]);
    expect(sessions).toMatchObject([
      { key: conversationIn(1) },
      { key: conversationIn(2), connected: false },
    ]);
    expect((await runJson('sessions', 'list', '--limit', '1')).sessions).toHaveLength(1);
    const told = await run('sessions', 'list');
    expect(told.out).toMatch(/^KEY +STATE/);
    expect(told.out).toContain(`${conversationIn(1)}  active  cold, new`);
  });

  test('sessions show shows one, its turns and what it cost', async () => {
    expect(await runJson('sessions', 'show', conversationIn(1))).toMatchObject({
      exit: 0,
      ok: true,
      key: conversationIn(1),
      totals: { attempts: 1, cost_usd: 0.25 },
    });
    const told = await run('sessions', 'show', conversationIn(1));
    expect(told.out).toMatch(/Attempts +1 in all/);
    expect(told.out).toMatch(whom === 'a running server' ? /No turn yet/ : /answered +hot, reused +0\.8 s/);
  });

  test('sessions export writes the transcript as JSON lines, here or into a new file', async () => {
    const lines = ENTRIES.map((entry) => JSON.stringify(entry)).join('\n');
    expect((await run('sessions', 'export', conversationIn(1))).out).toBe(lines);
    expect((await runJson('sessions', 'export', conversationIn(1))).entries).toEqual(ENTRIES);

    const written = await runJson('sessions', 'export', conversationIn(1), 'one.jsonl');
    expect(written).toMatchObject({ ok: true, file: join(cwd, 'one.jsonl'), entries: 2 });
    expect(readFileSync(join(cwd, 'one.jsonl'), 'utf8')).toBe(`${lines}\n`);
    expect(await runJson('sessions', 'export', conversationIn(1), 'one.jsonl')).toMatchObject({
      exit: 1,
      code: 'not_written',
    });
    expect((await run('sessions', 'export', conversationIn(9), 'two.jsonl')).code).toBe(1);
    expect(readdirSync(cwd)).not.toContain('two.jsonl');
  });

  test('inbox list shows what is dead, with its text only when asked', async () => {
    const { messages } = await runJson('inbox', 'list', '--state', 'buried');
    expect(messages).toMatchObject([{ id: dead, outcome: 'attempts' }]);
    expect(messages[0].text).toBeUndefined();
    const told = await run('inbox', 'list', '--text', '--key', conversationIn(1));
    expect(told.out).toContain(`${dead}`);
    expect(told.out).toContain('first second');
    expect((await run('inbox', 'list', '--state', 'waiting')).out).toBe('There is no such message.');
  });

  test('inbox replay lets a dead message run again, once', async () => {
    expect(await runJson('inbox', 'replay', `${dead}`)).toMatchObject({
      exit: 0,
      ok: true,
      message: { state: 'waiting', replay_of: dead },
    });
    const again = await run('inbox', 'replay', `${dead}`);
    expect(again).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('It runs again as message'),
    });
    expect(await runJson('inbox', 'replay', '999')).toMatchObject({
      exit: 1,
      ok: false,
      code: 'unknown_message',
    });
  });

  test('what nobody knows is told and fails', async () => {
    for (const command of ['show', 'reset', 'export']) {
      const { code, err } = await run('sessions', command, conversationIn(9));
      expect({ code, err }).toEqual({ code: 1, err: 'There is no conversation with this key.' });
    }
    expect(await runJson('inbox', 'list', '--state', 'sleeping')).toMatchObject({
      ok: false,
      code: 'invalid_fields',
    });
  });
});

test('sessions reset of the data folder itself forgets the conversation and its files', async () => {
  await lay();
  const workspace = join(dataDir, 'workspaces', 'campfire%3aabc', 'helper', '1');
  mkdirSync(workspace, { recursive: true });
  expect(await runJson('sessions', 'reset', conversationIn(1))).toMatchObject({ exit: 0, ok: true });
  expect(existsSync(workspace)).toBe(false);
  expect((await runJson('sessions', 'show', conversationIn(1))).state).toBe('forgotten');
  expect((await runJson('sessions', 'export', conversationIn(1))).entries).toEqual([]);
  expect((await runJson('inbox', 'replay', '1')).code).toBe('forgotten');
  expect(existsSync(join(dataDir, 'lock.json'))).toBe(false);
});

test('sessions reset of a running server is the server’s to do', async () => {
  const { store, doors } = await serve();
  await fill(store);
  const { code, out } = await run('sessions', 'reset', conversationIn(2));
  expect({ code, out }).toEqual({ code: 0, out: `${conversationIn(2)} is forgotten.` });
  expect(doors.forgotten).toEqual([conversationIn(2)]);
});

describe('when nobody can be asked', () => {
  test('there is no database yet, and none is made', async () => {
    expect(await runJson('sessions', 'list')).toMatchObject({ code: 'no_database', ok: false });
    expect(existsSync(dataDir)).toBe(false);
  });

  test('a server starts, or another command works on the folder', async () => {
    await lay();
    const lock = await lockFolder(dataDir, systemClock);
    onTestFinished(() => lock.release());
    const { code, err } = await run('sessions', 'list');
    expect(code).toBe(1);
    expect(err).toContain(`is in use by process ${process.pid}`);
  });

  test('the server is gone while its lock is still held', async () => {
    await lay();
    const lock = await lockFolder(dataDir, systemClock);
    onTestFinished(() => lock.release());
    await lock.announce('http://127.0.0.1:1');
    expect((await run('sessions', 'list')).err).toContain('admin-token cannot be read');
    writeFileSync(join(dataDir, 'admin-token'), 'x');
    expect(await runJson('sessions', 'list')).toMatchObject({ ok: false, code: 'unreachable' });
  });

  test('the token is another one, or the answer is no JSON', async () => {
    await serve();
    writeFileSync(join(dataDir, 'admin-token'), 'another');
    expect(await runJson('sessions', 'list')).toMatchObject({ ok: false, code: 'wrong_token' });
    writeFileSync(join(cwd, '.env'), `ADMIN_TOKEN=${ADMIN_TOKEN}`);
    expect((await run('sessions', 'list')).code).toBe(0);
  });

  /** Another program, at the address that the data folder names; what it is asked. */
  async function listenAsServer(status: number, headers: Readonly<Record<string, string>> = {}) {
    await lay();
    const asked: string[] = [];
    const other = createServer(({ url = '' }, response) => {
      asked.push(url);
      response.writeHead(status, headers).end('Bad gateway');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const lock = await lockFolder(dataDir, systemClock);
    onTestFinished(async () => {
      await lock.release();
      other.close();
    });
    await lock.announce(address);
    writeFileSync(join(dataDir, 'admin-token'), 'x');
    return { asked, address };
  }

  test('another program answers at the address', async () => {
    await listenAsServer(502);
    expect((await run('sessions', 'list')).err).toBe('the server answered 502.');
  });

  test('another program sends the admin token elsewhere, where it never arrives', async () => {
    const { asked, address } = await listenAsServer(307, { location: '/elsewhere' });
    expect(await runJson('sessions', 'list')).toMatchObject({ ok: false, code: 'unreachable' });
    const events = makeServerClient(address, 'x').listen('/v1/updates/1/events', null);
    await expect(events.next()).rejects.toThrow(ConnectionLost);
    expect(asked.map((url) => url.replace(/\?.*/, ''))).toEqual(['/api/sessions', '/v1/updates/1/events']);
  });
});
