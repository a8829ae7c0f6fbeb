import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { SpawnOptions } from '@anthropic-ai/claude-agent-sdk';
import type { Clock } from '../../base/clock.ts';
import { lowerPriority } from '../lower-priority.ts';

/** How a process ended: `code 1`, `signal SIGKILL`, or why it never began. */
export type ProcessEnd = { readonly how: string };

/** A started process, with what we watch of it. */
export type WatchedProcess = {
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves when it has exited or could not be started. */
  readonly ended: Promise<ProcessEnd>;
  /** The last line that it wrote to stderr, as far as it was kept. */
  lastWords(): string;
};

const MOST_STDERR_CHARACTERS = 2_000;
const MOST_LISTENERS = 20;

/** Starts the process in a group of its own, with the environment that the options hold and nothing else. */
export function spawnProcess(options: SpawnOptions, clock: Clock): WatchedProcess {
  const child = spawn(options.command, options.args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // The SDK waits for the exit of a spare that is claimed, or ended, in a dozen places: that is no leak.
  child.setMaxListeners(MOST_LISTENERS);
  let tail = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    tail = (tail + chunk).slice(-MOST_STDERR_CHARACTERS);
  });
  // A write to a process that has just ended: its end is what counts, and `ended` tells it.
  child.stdin.on('error', () => {});
  if (child.pid !== undefined) void lowerPriority(child.pid, clock);
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once('exit', (code, signal) =>
      resolve({ how: signal === null ? `code ${code}` : `signal ${signal}` }),
    );
    child.once('error', (error) => resolve({ how: error.message }));
  });
  return { child, ended, lastWords: () => tail.trim().split('\n').at(-1) ?? '' };
}
