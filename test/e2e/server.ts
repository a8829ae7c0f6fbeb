/** The real server as a child process, as a user runs it: on the offline model and in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFailed, onTestFinished } from 'vitest';
import { findLeftProcesses, type LeftProcess } from '../setup/left-processes.ts';
import { ROOT } from '../setup/root.ts';
import { makeTempFolder } from '../setup/temp.ts';

const UP_WITHIN_MS = 20_000;
const STOPPED_WITHIN_MS = 12_000;

export type TestMessage = {
  readonly id: number;
  readonly author: { readonly id: string; readonly name: string; readonly is_bot: boolean };
  readonly text: string;
  readonly html: string;
};

export type TestTurn = {
  readonly conversation: string;
  readonly session_id: string;
  readonly inbox_ids: readonly number[];
  readonly tier: string;
  readonly start: string;
  readonly outcome: string;
  readonly attempt: number;
  readonly reason: string;
};

export type TestServer = Awaited<ReturnType<typeof startServer>>;

export type StartOptions = {
  /** A folder of its own when not given; give a second server the first one's to restart. */
  readonly dataDir?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What is run; by default what a user runs. */
  readonly entry?: string;
  /** The caller ends it with `end()`, because several tests use it. */
  readonly shared?: boolean;
};

/**
 * Starts a server; when the test has finished it is stopped, and fails the test when it leaves a process behind or when
 * its output holds a key or a word of what was said.
 */
export async function startServer(options: StartOptions = {}) {
  const dataDir = options.dataDir ?? makeTempFolder();
  const child = spawn('bin/node', [options.entry ?? 'src/main.ts'], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      TMPDIR: process.env.TMPDIR,
      HOME: dataDir,
      LANG: 'en_US.UTF-8',
      PORT: '0',
      DATA_DIR: dataDir,
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const readOutput = collectOutput(child);
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const mayNotBeLogged = new Set(Object.entries(options.env ?? {}).flatMap(secretIn));
  if (options.shared !== true) {
    onTestFinished(end);
    onTestFailed(() => {
      process.stderr.write(`The server said:\n${readOutput()}`);
    });
  }

  async function kill(): Promise<void> {
    child.kill('SIGKILL');
    await exited;
  }
  /** SIGTERM; resolves with the exit code and how long it took. */
  async function stop(): Promise<{ readonly code: number | null; readonly tookMs: number }> {
    const asked = performance.now();
    child.kill('SIGTERM');
    const code = await exited;
    return { code, tookMs: performance.now() - asked };
  }
  async function end(): Promise<void> {
    const cutShort = setTimeout(kill, STOPPED_WITHIN_MS);
    child.kill('SIGTERM');
    await exited;
    clearTimeout(cutShort);
    const left = await findLeftProcesses(dataDir);
    for (const { pid } of left) process.kill(pid, 'SIGKILL');
    expect(left).toEqual([]);
    const output = readOutput();
    expect([...mayNotBeLogged].filter((secret) => output.includes(secret))).toEqual([]);
  }

  const url = await waitFor(
    () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended:\n${readOutput()}`);
      return /(http:\/\/\S+)\/#code=/.exec(readOutput())?.[1] ?? null;
    },
    { withinMs: UP_WITHIN_MS, otherwise: () => `the server did not come up:\n${readOutput()}` },
  ).catch(async (error: unknown) => {
    await kill();
    throw error;
  });
  const adminToken = options.env?.ADMIN_TOKEN ?? readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  mayNotBeLogged.add(adminToken);

  /** A request with the admin token. */
  function api(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(url + path, {
      ...init,
      headers: { authorization: `Bearer ${adminToken}`, ...init.headers },
    });
  }
  async function getJson<Body>(path: string): Promise<Body> {
    const answer = await api(path);
    if (!answer.ok) throw new Error(`${path} was answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as Body; // The routes' own schemas are checked by their own tests.
  }
  /** A webhook, to the default bot unless `path` names one. */
  function post(body: unknown, { path = '/webhook', headers = {} }: PostOptions = {}): Promise<Response> {
    return fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }
  /** All messages of the built-in room, up to the newest two hundred. */
  async function messages(room: string | number): Promise<readonly TestMessage[]> {
    const path = `/local/rooms/${room}/messages?limit=200`;
    return (await getJson<{ messages: readonly TestMessage[] }>(path)).messages;
  }
  async function repliesSoFar(room: string | number): Promise<readonly TestMessage[]> {
    return (await messages(room)).filter(({ author }) => author.is_bot);
  }

  return {
    url,
    adminToken,
    dataDir,
    pid: child.pid ?? Number.NaN,
    /** Standard output and error so far. */
    output: readOutput,
    exited,
    api,
    getJson,
    post,
    messages,
    stop,
    kill,
    end,
    /** What is said through `say` may not be logged either. */
    mayNotBeLogged(...secrets: readonly string[]): void {
      for (const secret of secrets) mayNotBeLogged.add(secret);
    },

    /** A flat webhook; `id` makes it deduplicated. */
    say(room: string | number, text: string, { bot, user = DAVID, id }: SayOptions = {}): Promise<Response> {
      if (text.length >= 12) mayNotBeLogged.add(text);
      return post(
        {
          ...(id === undefined ? {} : { id }),
          creator: user,
          room: { id: room, name: `Room ${room}` },
          content: text,
        },
        { path: bot === undefined ? '/webhook' : `/webhook/${bot}` },
      );
    },
    repliesSoFar,
    /** The bots' messages of the built-in room, once there are `count` of them. */
    replies: (room: string | number, count: number, withinMs = 30_000): Promise<readonly TestMessage[]> =>
      waitFor(
        async () => {
          const found = await repliesSoFar(room);
          return found.length >= count ? found : null;
        },
        { withinMs, otherwise: () => `fewer than ${count} replies in room ${room}:\n${readOutput()}` },
      ),
    /** Newest first, of a room's conversation with the bot or of all. */
    async turns(room?: string | number, bot = 'assistant'): Promise<readonly TestTurn[]> {
      const query = room === undefined ? '' : `&conversation=${encodeURIComponent(`builtin:${room}:${bot}`)}`;
      return (await getJson<{ turns: readonly TestTurn[] }>(`/api/turns?limit=500${query}`)).turns;
    },
    /** Rows of its database, as they stand now. */
    rows: (sql: string): readonly Readonly<Record<string, unknown>>[] =>
      withDatabase(dataDir, (database) => database.prepare(sql).all()),
    /** The processes of its agents' families. */
    family: async (): Promise<readonly LeftProcess[]> =>
      (await findLeftProcesses(dataDir, 1)).filter(({ pid }) => pid !== child.pid),
  };
}

type PostOptions = { readonly path?: string; readonly headers?: Readonly<Record<string, string>> };
type SayOptions = {
  readonly bot?: string;
  readonly user?: { readonly id: number; readonly name: string };
  readonly id?: string;
};

export const DAVID = { id: 1, name: 'David' };
export const KEVIN = { id: 2, name: 'Kevin' };

function collectOutput(child: ChildProcess): () => string {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  return () => output;
}

function secretIn([name, value]: readonly [string, string]): readonly string[] {
  return /KEY|TOKEN/.test(name) && value !== '' ? [value] : [];
}

/** The database of a server, to look into or, while it is down, to damage. */
export function withDatabase<Result>(dataDir: string, work: (database: DatabaseSync) => Result): Result {
  const database = new DatabaseSync(join(dataDir, 'firekeeper.sqlite'));
  try {
    return work(database);
  } finally {
    database.close();
  }
}

/** A folder with a file for each bot, for `BOTS_DIRS`. */
export function makeBotsFolder(...bots: readonly (BotFile & { readonly bot_id: string })[]): string {
  const folder = makeTempFolder();
  for (const bot of bots) writeBot(folder, bot);
  return folder;
}

export function writeBot(folder: string, bot: BotFile & { readonly bot_id: string }): void {
  writeFileSync(join(folder, `${bot.bot_id}.json`), JSON.stringify(bot));
}

type BotFile = Readonly<Record<string, unknown>>;

/** Asks every 50 ms until there is something, or fails with what `otherwise` says. */
export async function waitFor<Value>(
  look: () => Value | null | Promise<Value | null>,
  options: { readonly withinMs?: number; readonly otherwise?: () => string } = {},
): Promise<Value> {
  const deadline = performance.now() + (options.withinMs ?? 20_000);
  while (performance.now() < deadline) {
    const found = await look();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(options.otherwise?.() ?? 'it did not happen in time');
}
