import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { AGENT_MARK, type Families, lowerPriority, OWNER_MARK } from '../../agent/agent.ts';
import { type Clock, within } from '../../base/clock.ts';
import { newAgentId } from '../../base/ids.ts';
import { type Sandbox, toArguments } from './find-sandbox.ts';
import { makeTail } from './tail.ts';

export type CommandDeps = {
  readonly clock: Clock;
  readonly families: Families;
  /** Id of the data folder: what the reaper finds by if this server is killed. */
  readonly ownerId: string;
  /** PATH and LANG of it are what a command without a sandbox gets. */
  readonly baseEnv: Readonly<Record<string, string>>;
  /** Folders that no command sees. */
  readonly hidden: readonly string[];
};

export type CommandOptions = {
  /** A real path. */
  readonly workdir: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Null: none, because the project allows it. */
  readonly sandbox: Sandbox | null;
};

/** `exitCode` null: it was ended. `tail` is plain text of at most 8 KiB. */
export type CommandEnd = {
  readonly ended: 'itself' | 'timeout' | 'aborted';
  readonly exitCode: number | null;
  readonly tail: string;
};

const MOST_TAIL_BYTES = 8 * 1024;
/** Once nobody is left to write, what was written is read in no time. */
const DRAIN_LIMIT_MS = 1_000;
const NOT_FOUND = 127;
const HOME = '/tmp';

/** Runs one command; when it resolves, nobody of its family is left, whatever it started. */
export async function runCommand(
  command: readonly string[],
  options: CommandOptions,
  deps: CommandDeps,
): Promise<CommandEnd> {
  const family = newAgentId();
  const child = start(command, options, { [OWNER_MARK]: deps.ownerId, [AGENT_MARK]: family }, deps);
  if (child.pid !== undefined) void lowerPriority(child.pid, deps.clock);
  const tail = makeTail(MOST_TAIL_BYTES);
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => tail.add(chunk));
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  const exited = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
    child.once('error', (error) => {
      tail.add(Buffer.from(`${command[0]}: ${'code' in error ? error.code : 'did not start'}\n`));
      resolve(NOT_FOUND);
    });
  });

  const outcome = await firstOf(exited, options, deps.clock);
  await deps.families.end([family]);
  await within(deps.clock, DRAIN_LIMIT_MS, closed);
  child.stdout?.destroy();
  child.stderr?.destroy();
  const text = tail.text().replaceAll(options.workdir, '.');
  return typeof outcome === 'number'
    ? { ended: 'itself', exitCode: outcome, tail: text }
    : { ended: outcome, exitCode: null, tail: text };
}

async function firstOf(
  exited: Promise<number>,
  { timeoutMs, signal }: CommandOptions,
  clock: Clock,
): Promise<number | 'timeout' | 'aborted'> {
  let onAbort = () => {};
  const aborted = new Promise<'aborted'>((resolve) => {
    onAbort = () => resolve('aborted');
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
  try {
    const first = await within(clock, timeoutMs, Promise.race([aborted, exited]));
    return first === 'timed-out' ? 'timeout' : first;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/**
 * In a group of its own and with the marks. Bubblewrap itself gets no more of an environment than the command, which
 * can read that of the first process in its namespace.
 */
function start(
  command: readonly string[],
  { workdir, sandbox }: CommandOptions,
  marks: Readonly<Record<string, string>>,
  { baseEnv, hidden }: CommandDeps,
): ChildProcess {
  const env = {
    PATH: sandbox?.path ?? baseEnv.PATH ?? '',
    LANG: baseEnv.LANG ?? 'C.UTF-8',
    HOME,
    ...marks,
  };
  const inside =
    sandbox === null ? [] : [sandbox.executable, ...toArguments(sandbox, { workdir, hidden, env })];
  const [program = '', ...args] = [...inside, ...command];
  return spawn(program, args, { cwd: workdir, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
}
