import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { AGENT_MARK, OWNER_MARK } from '../../agent/agent.ts';
import type { Clock } from '../../base/clock.ts';
import type { AgentId } from '../../base/terms.ts';
import { RepositoryFailed } from '../repository.ts';
import { SETTINGS, type Transport, toGitEnvironment } from './environment.ts';

export type GitDeps = {
  readonly executable: string;
  readonly baseEnv: Readonly<Record<string, string>>;
  /** Whose git processes these are, so that the next start's reaper ends what a killed server left. */
  readonly marks: { readonly owner: string; readonly agent: AgentId } | null;
  readonly clock: Clock;
};

/** One call of git. Paths in arguments, input and output are latin1 strings: bytes that need not be UTF-8. */
export type GitCall = {
  readonly gitDir: string;
  /** Absolute; the call sees a working directory only when this is there. */
  readonly workTree?: string;
  /** Instead of the repository's own. */
  readonly indexFile?: string;
  readonly args: readonly string[];
  readonly input?: string;
  readonly transport?: Transport;
  readonly env?: Readonly<Record<string, string>>;
  /** Exit codes besides 0 that are answers. */
  readonly expected?: readonly number[];
  readonly limitMs?: number;
  /** Ends the call early; it fails then. */
  readonly signal?: AbortSignal;
};

export type Git = {
  /** What it writes, piece by piece. Whoever stops reading ends the process. */
  stream(call: GitCall): AsyncIterable<Buffer>;
  /** What it writes, ended by NUL each, as latin1. */
  records(call: GitCall): AsyncIterable<string>;
  /** All that it writes as latin1, without the line's end; fails above a megabyte. */
  text(call: GitCall): Promise<string>;
};

/** One call failed. `stderr` is for deciding, never for a log: it may hold an address or a path. */
export class GitFailed extends RepositoryFailed {
  readonly stderr: string;
  readonly timedOut: boolean;

  constructor(subcommand: string, how: string, stderr: string, timedOut: boolean) {
    const isFull = /No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/.test(stderr);
    super(isFull ? 'disk_full' : 'broken', `git ${subcommand} ${how}`);
    this.name = 'GitFailed';
    this.stderr = stderr;
    this.timedOut = timedOut;
  }
}

const LIMIT_MS = 120_000;
const MOST_STDERR_CHARACTERS = 4_000;
const MOST_TEXT_BYTES = 1024 * 1024;
/** Longer than any path and what stands before it. */
const MOST_RECORD_CHARACTERS = 64 * 1024;

export function makeGit(deps: GitDeps): Git {
  async function* stream(call: GitCall): AsyncGenerator<Buffer> {
    const git = start(call, deps);
    const stop = () => git.kill();
    const cancel = deps.clock.after(call.limitMs ?? LIMIT_MS, git.timeOut);
    call.signal?.addEventListener('abort', stop, { once: true });
    if (call.signal?.aborted) stop();
    try {
      for await (const chunk of git.output()) yield chunk;
      await git.ended;
      git.check(call.expected ?? []);
    } finally {
      cancel();
      call.signal?.removeEventListener('abort', stop);
      git.kill();
      await git.ended;
    }
  }

  return {
    stream,
    async *records(call) {
      let rest = '';
      for await (const chunk of stream(call)) {
        const parts = (rest + chunk.toString('latin1')).split('\0');
        rest = parts.pop() ?? '';
        if (rest.length > MOST_RECORD_CHARACTERS)
          throw new GitFailed(nameOf(call), 'wrote a record without an end', '', false);
        yield* parts;
      }
    },
    async text(call) {
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of stream(call)) {
        bytes += chunk.length;
        if (bytes > MOST_TEXT_BYTES) throw new GitFailed(nameOf(call), 'wrote too much', '', false);
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString('latin1').replace(/\n$/, '');
    },
  };
}

type RunningGit = {
  output(): AsyncIterable<Buffer>;
  /** Never rejects; no process of its group is left then. */
  readonly ended: Promise<void>;
  /** Throws what its end says. */
  check(expected: readonly number[]): void;
  kill(): void;
  timeOut(): void;
};

function start(call: GitCall, deps: GitDeps): RunningGit {
  const child = spawnGit(call, deps);
  let stderr = '';
  let end: { readonly how: string; readonly code: number | null } | null = null;
  let timedOut = false;
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr = (stderr + chunk).slice(0, MOST_STDERR_CHARACTERS);
  });
  // It may end without reading all of it; its end is what counts.
  child.stdin.on('error', () => {});
  child.stdin.end(Buffer.from(call.input ?? '', 'latin1'));
  const ended = new Promise<void>((resolve) => {
    child.once('close', (code, signal) => {
      end ??= { how: signal === null ? `ended with code ${code}` : `was ended by ${signal}`, code };
      resolve();
    });
    child.once('error', (error) => {
      end ??= { how: `did not start: ${error.message}`, code: null };
      resolve();
    });
  });

  function kill(): void {
    if (end !== null) return;
    killGroup(child.pid);
    child.stdout.destroy();
    child.stderr.destroy();
  }

  return {
    ended,
    kill,
    async *output() {
      try {
        for await (const chunk of child.stdout) yield chunk as Buffer;
      } catch (error) {
        // Killed, or never started: `check` says which.
        if (!(error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'))
          throw error;
      }
    },
    check(expected) {
      const { how, code } = end ?? { how: 'has not ended', code: null };
      if (timedOut) throw new GitFailed(nameOf(call), 'took too long', stderr, true);
      if (code !== 0 && !(code !== null && expected.includes(code)))
        throw new GitFailed(nameOf(call), how, stderr, false);
    },
    timeOut() {
      timedOut = true;
      kill();
    },
  };
}

/** In a group of its own, so that its children end with it, and below the repository's folder, which is no work tree. */
function spawnGit(call: GitCall, deps: GitDeps): ChildProcessWithoutNullStreams {
  const where = [
    `--git-dir=${call.gitDir}`,
    ...(call.workTree === undefined ? [] : [`--work-tree=${call.workTree}`]),
  ];
  const marks = deps.marks === null ? {} : { [OWNER_MARK]: deps.marks.owner, [AGENT_MARK]: deps.marks.agent };
  return spawn(deps.executable, [...SETTINGS, ...where, ...call.args], {
    cwd: '/',
    env: {
      ...toGitEnvironment(deps.baseEnv, call.transport ?? null),
      ...marks,
      ...call.env,
      ...(call.indexFile === undefined ? {} : { GIT_INDEX_FILE: call.indexFile }),
    },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody of it is left.
  }
}

function nameOf(call: GitCall): string {
  return call.args[0] ?? '';
}
