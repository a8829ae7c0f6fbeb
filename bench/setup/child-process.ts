/** Processes that a benchmark starts: the server, the model, the bare route. Each ends with the benchmark. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ROOT } from '../../test/setup/root.ts';

export type Child = {
  readonly pid: number;
  /** What its line held. */
  readonly address: string;
  /** Standard output and error so far, as far as they are kept. */
  output(): string;
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when it has ended. */
  kill(): Promise<void>;
};

/** What a server says when it is up, and its address. */
export const SERVER_LISTENS = /(http:\/\/127\.0\.0\.1:\d+)\/#code=/;

const START_LIMIT_MS = 30_000;
const MOST_OUTPUT_CHARACTERS = 100_000;
/** Whatever is compared with the server runs as it does. */
const NODE = join(ROOT, 'bin/node');

/** Starts a TypeScript file with the server's Node; resolves once a line of its output matches: its first group is the address. */
export async function startChild(
  file: string,
  options: {
    readonly args?: readonly string[];
    readonly cwd: string;
    readonly env: Readonly<Record<string, string>>;
    readonly ready: RegExp;
  },
): Promise<Child> {
  const child = spawn(NODE, [file, ...(options.args ?? [])], {
    cwd: options.cwd,
    env: { PATH: process.env.PATH, LANG: 'en_US.UTF-8', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const address = await new Promise<string>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`${file} ${why}:\n${output}`));
    const limit = setTimeout(() => {
      child.kill('SIGKILL');
      fail('did not come up');
    }, START_LIMIT_MS);
    child.once('exit', () => fail('ended'));
    child.once('error', reject);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output = (output + chunk).slice(-MOST_OUTPUT_CHARACTERS);
        const found = options.ready.exec(output)?.[1];
        if (found === undefined) return;
        clearTimeout(limit);
        resolve(found);
      });
    }
  });
  return {
    pid: child.pid ?? -1,
    address,
    output: () => output,
    stop: () => end(child, 'SIGTERM'),
    kill: () => end(child, 'SIGKILL'),
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}
