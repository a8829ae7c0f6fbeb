/** What an operator does from outside: look, steer, replay, and bring the predecessor's conversations along. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { query } from '@anthropic-ai/claude-agent-sdk';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startOfflineModel } from '../../src/agent/offline/offline-model.ts';
import { toLocalTime } from '../../src/base/local-time.ts';
import { ROOT } from '../setup/root.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { startServer, type TestServer, waitFor, withDatabase } from './server.ts';

type Ended = { readonly code: number; readonly out: string; readonly err: string };

/** The command line, as `bin/firekeeper` runs it. */
function firekeeper(dataDir: string, ...args: string[]): Promise<Ended> {
  const env = { PATH: process.env.PATH, HOME: dataDir, DATA_DIR: dataDir, TIME_ZONE: 'UTC' };
  return new Promise((resolve) => {
    execFile(process.execPath, ['src/cli/cli.ts', ...args], { cwd: ROOT, env }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

/** The predecessor's own way: one query for each message, resumed, its transcript in Claude Code's own folder. */
async function talkAsThePredecessor(claudeDir: string, messages: readonly string[]): Promise<string> {
  const model = await startOfflineModel();
  onTestFinished(() => model.close());
  let sessionId: string | undefined;
  for (const prompt of messages) {
    const turn = query({
      prompt,
      options: {
        env: {
          PATH: process.env.PATH ?? '',
          HOME: claudeDir,
          CLAUDE_CONFIG_DIR: claudeDir,
          CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
          ...model.endpoint.env,
        },
        cwd: claudeDir,
        settingSources: [],
        tools: [],
        ...(sessionId === undefined ? {} : { resume: sessionId }),
      },
    });
    for await (const message of turn) sessionId = message.session_id ?? sessionId;
  }
  if (sessionId === undefined) throw new Error('the process said no session id');
  return sessionId;
}

function writeCacheFile(dir: string, room: number, sessionId: string): void {
  const now = toLocalTime(Date.now(), 'UTC');
  const fields = {
    session_id: sessionId,
    room_id: room,
    bot_id: 'assistant',
    last_used: now,
    created_at: now,
  };
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, `session_${room}_assistant.json`), JSON.stringify(fields));
}

const pathOf = (room: number, rest = '') =>
  `/api/sessions/${encodeURIComponent(`builtin:${room}:assistant`)}${rest}`;
const post = (server: TestServer, path: string) => server.api(path, { method: 'POST' });

describe('a conversation of the predecessor', () => {
  it('goes on warm, and remembers', async () => {
    const [dataDir, folder] = [makeTempFolder(), makeTempFolder()];
    const claudeDir = join(folder, 'claude');
    mkdirSync(claudeDir);
    const sessionId = await talkAsThePredecessor(claudeDir, ['my cat is called Momo', 'and my dog Rex']);
    writeCacheFile(join(folder, 'session_cache'), 7, sessionId);

    const { code, out } = await firekeeper(
      dataDir,
      ...['import-session-cache', join(folder, 'session_cache'), '--transcripts', claudeDir, '--json'],
    );
    expect(JSON.parse(out)).toEqual({
      ok: true,
      imported: [
        { file: 'session_7_assistant.json', key: 'builtin:7:assistant', session_id: sessionId, turns: 2 },
      ],
      skipped: [],
    });
    expect(code).toBe(0);

    const server = await startServer({ dataDir, env: { REWARM_SESSIONS: '0' } });
    await server.say(7, 'who are my animals?');
    const [reply] = await server.replies(7, 1);
    expect(reply?.text).toContain('1. “my cat is called Momo” 2. “and my dog Rex”');
    expect(await server.turns(7)).toMatchObject([
      { tier: 'warm', start: 'resumed', outcome: 'answered', session_id: sessionId },
    ]);
  });

  it('can go to another server: its session file and its exported transcript are all that it takes', async () => {
    const [first, folder] = [makeTempFolder(), makeTempFolder()];
    const cache = join(folder, 'session_cache');
    const server = await startServer({ dataDir: first, env: { SESSION_CACHE_DIR: cache, TIME_ZONE: 'UTC' } });
    await server.say(7, 'my cat is called Momo');
    await server.replies(7, 1);
    const [turn] = await server.turns(7);
    const sessionId = turn?.session_id ?? '';
    const written = await waitFor(() => (readdirSync(cache).length > 0 ? readdirSync(cache) : null));
    expect(written).toEqual(['session_7_assistant.json']);
    expect(JSON.parse(readFileSync(join(cache, 'session_7_assistant.json'), 'utf8'))).toEqual({
      session_id: sessionId,
      room_id: 7,
      bot_id: 'assistant',
      last_used: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$/),
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });

    const transcripts = join(folder, 'transcripts');
    mkdirSync(transcripts);
    const file = join(transcripts, `${sessionId}.jsonl`);
    const exported = await firekeeper(first, 'sessions', 'export', 'builtin:7:assistant', file);
    expect(exported).toMatchObject({ code: 0, err: '' });
    expect((await server.stop()).code).toBe(0);

    const second = makeTempFolder();
    const taken = await firekeeper(second, 'import-session-cache', cache, '--transcripts', transcripts);
    expect(taken).toMatchObject({ code: 0, err: '' });
    const next = await startServer({ dataDir: second, env: { REWARM_SESSIONS: '0' } });
    await next.say(7, 'who is my cat?');
    expect((await next.replies(7, 1))[0]?.text).toContain('1. “my cat is called Momo”');
    expect(await next.turns(7)).toMatchObject([{ tier: 'warm', start: 'resumed' }]);
  });
});

describe('a running server', () => {
  it('shows and steers its sessions over HTTP and through the command line', async () => {
    const cache = join(makeTempFolder(), 'session_cache');
    const server = await startServer({ env: { SESSION_CACHE_DIR: cache } });
    await server.say(7, 'my cat is called Momo');
    await server.replies(7, 1);
    await waitFor(() => (existsSync(join(cache, 'session_7_assistant.json')) ? true : null));

    const listed = await firekeeper(server.dataDir, 'sessions', 'list', '--json');
    expect(JSON.parse(listed.out)).toMatchObject({
      ok: true,
      sessions: [{ key: 'builtin:7:assistant', state: 'active', connected: true, query_count: 1 }],
    });
    const one = await server.getJson<{ turns: unknown[]; totals: { attempts: number } }>(pathOf(7));
    expect(one).toMatchObject({ turns: [{ outcome: 'answered' }], totals: { attempts: 1 } });
    const transcript = await server.getJson<{ entries: unknown[] }>(pathOf(7, '/transcript'));
    expect(JSON.stringify(transcript.entries)).toContain('my cat is called Momo');
    expect((await post(server, pathOf(7, '/interrupt'))).status).toBe(409);

    const reset = await firekeeper(server.dataDir, 'sessions', 'reset', 'builtin:7:assistant');
    expect(reset).toMatchObject({ code: 0, out: 'builtin:7:assistant is forgotten.\n' });
    expect(await server.getJson(pathOf(7))).toMatchObject({ state: 'forgotten', connected: false });
    await waitFor(() => (readdirSync(cache).length === 0 ? true : null));
    await server.say(7, 'who is my cat?');
    const replies = await server.replies(7, 2);
    expect(replies.at(-1)?.text).toContain('message 1 of this conversation');
    expect(await firekeeper(server.dataDir, 'sessions', 'show', 'builtin:9:assistant')).toMatchObject({
      code: 1,
      err: 'There is no conversation with this key.\n',
    });
  });

  it('streams a conversation over a WebSocket, which interrupts its turn too', async () => {
    const server = await startServer();
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws/7/assistant`, {
      headers: { authorization: `Bearer ${server.adminToken}` },
    });
    onTestFinished(() => socket.close());
    const heard: { type: string; text?: string; outcome?: string }[] = [];
    socket.addEventListener('message', ({ data }) => heard.push(JSON.parse(data)));
    await new Promise((resolve) => socket.addEventListener('open', resolve));
    const until = (type: string) => waitFor(() => heard.find((event) => event.type === type) ?? null);

    socket.send(JSON.stringify({ type: 'message', text: 'hello there', user: { id: '1', name: 'David' } }));
    expect(await until('turn.finished')).toMatchObject({ outcome: 'answered' });
    const types = heard.map(({ type }) => type);
    expect(types.slice(0, 2).sort()).toEqual(['message.accepted', 'turn.started']);
    const said = heard.map(({ text }) => text ?? '').join('');
    expect(said).toContain('You said: “hello there”');

    socket.send(JSON.stringify({ type: 'message', text: 'think for 60 seconds' }));
    await waitFor(() => (heard.filter(({ type }) => type === 'turn.started').length === 2 ? true : null));
    socket.send(JSON.stringify({ type: 'interrupt' }));
    const last = await until('turn.failed');
    expect(last.outcome).not.toBe('answered');
  });

  it('lets a dead message run again', async () => {
    const first = await startServer();
    await first.say(7, 'hello there');
    await first.replies(7, 1);
    await first.stop();
    // As a message is left by three failed attempts.
    withDatabase(first.dataDir, (database) =>
      database.exec(`update inbox set state = 'buried', outcome = 'attempts'`),
    );
    const server = await startServer({ dataDir: first.dataDir });
    const { out } = await firekeeper(server.dataDir, 'inbox', 'list', '--json');
    const [message] = JSON.parse(out).messages;
    expect(message).toMatchObject({ state: 'buried', outcome: 'attempts', key: 'builtin:7:assistant' });
    expect(await firekeeper(server.dataDir, 'inbox', 'replay', `${message.id}`)).toMatchObject({ code: 0 });
    await server.replies(7, 2);
    const again = await post(server, `/api/inbox/${message.id}/replay`);
    expect(await again.json()).toMatchObject({ status: 409, code: 'replayed_before' });
  });
});
