/** A Postgres of the test's own: made in the run's temporary folder, on a loopback port, and removed with it. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, chownSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { findPostgres } from './postgres.ts';
import { makeTempFolder } from './temp.ts';

/** In CI a missing Postgres is a failure, not a silence. */
export const hasNoPostgres = findPostgres() === null && !process.env.CI;

/** Never in a log: tests look for it there. */
export const PASSWORD = 'p@ss/word of the cluster';
const UP_WITHIN_MS = 20_000;

export type Cluster = {
  /** The address of a new, empty database. */
  makeDatabase(): Promise<string>;
  /** Starts it again, on the same port; does nothing while it runs. */
  start(): Promise<void>;
  /** `fast` ends every session, as an operator's restart does; `immediate` is a crash. */
  stop(how?: 'fast' | 'immediate'): Promise<void>;
};

/**
 * Durability is off in the cluster itself, which makes it quick; that our own settings are right is asked of the
 * database. Whoever starts it stops it.
 */
export async function startCluster(): Promise<Cluster> {
  const bin = findPostgres();
  if (bin === null) throw new Error('no Postgres was found: install postgresql');
  const folder = makeTempFolder();
  const user = userFor(folder);
  writeFileSync(join(folder, 'password'), PASSWORD, { mode: 0o644 });
  const data = join(folder, 'cluster');
  await promisify(execFile)(
    join(bin, 'initdb'),
    [
      ...['--pgdata', data, '--username', 'tester', '--pwfile', join(folder, 'password')],
      ...['--auth=scram-sha-256', '--encoding=UTF8', '--no-locale', '--no-sync', '--no-instructions'],
    ],
    { cwd: folder, ...user },
  );
  const port = await findFreePort();
  appendFileSync(join(data, 'postgresql.conf'), settings(port));
  const log = join(folder, 'log');
  let server: ChildProcess | null = null;
  let databases = 0;

  function addressOf(name: string): string {
    return `postgres://tester:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${name}`;
  }

  async function start(): Promise<void> {
    if (server !== null) return;
    const child = spawn(join(bin ?? '', 'postgres'), ['-D', data], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      ...user,
    });
    child.stderr.on('data', (text) => appendFileSync(log, text));
    server = child;
    const until = performance.now() + UP_WITHIN_MS;
    while (!(await answers(addressOf('postgres')))) {
      if (child.exitCode !== null || performance.now() > until)
        throw new Error(`Postgres did not come up:\n${readFileSync(log, 'utf8')}`);
      await sleep(20);
    }
  }

  await start();
  return {
    start,
    async makeDatabase() {
      databases += 1;
      const name = `test_${databases}`;
      await ask(addressOf('postgres'), `create database ${name}`);
      return addressOf(name);
    },
    async stop(how = 'fast') {
      const child = server;
      server = null;
      if (child === null || child.exitCode !== null) return;
      const exited = once(child, 'exit');
      child.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT');
      await exited;
    },
  };
}

/** One statement on a connection of its own. */
export async function ask(
  address: string,
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const client = new pg.Client({ connectionString: address });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query(sql, [...parameters])).rows;
  } finally {
    await client.end().catch(() => {});
  }
}

async function answers(address: string): Promise<boolean> {
  return ask(address, 'select 1').then(
    () => true,
    () => false,
  );
}

function settings(port: number): string {
  return [
    `port = ${port}`,
    "listen_addresses = '127.0.0.1'",
    "unix_socket_directories = ''",
    'fsync = off',
    'full_page_writes = off',
    'shared_buffers = 32MB',
    'max_connections = 100',
    "lc_messages = 'C'",
    '',
  ].join('\n');
}

/** Postgres refuses to run as root: then it is another user's, who must reach the folder without seeing its neighbours. */
function userFor(folder: string): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = ['-u', '-g'].map((what) => Number(idOf(what, 'postgres') ?? idOf(what, 'nobody')));
  if (uid === undefined || gid === undefined) throw new Error('there is no user to run Postgres as');
  chmodSync(tmpdir(), 0o711);
  chownSync(folder, uid, gid);
  return { uid, gid };
}

function idOf(what: string, name: string): string | null {
  try {
    return execFileSync('id', [what, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return null;
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('a port has a number');
  return address.port;
}
