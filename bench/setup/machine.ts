/** Where and when figures were measured: they mean nothing without it. */
import { execFileSync } from 'node:child_process';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { SDK_VERSION } from '../../src/agent/claude/claude.ts';
import { round } from './format.ts';

export type Machine = {
  readonly system: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly node: string;
  readonly sdk: string;
  /** The commit that was measured, with `+` when files differ from it. */
  readonly commit: string;
  /** Processes that wanted a core in the minute before: high means that others worked too. */
  readonly loadBefore: number;
};

export function describeMachine(): Machine {
  const processors = cpus();
  return {
    system: `${platform()} ${release()} ${arch()}`,
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGb: round(totalmem() / 1024 ** 3),
    node: process.version,
    sdk: SDK_VERSION,
    commit: readCommit(),
    loadBefore: round(loadavg()[0] ?? 0),
  };
}

function readCommit(): string {
  try {
    const hash = git('rev-parse', '--short', 'HEAD');
    return git('status', '--porcelain', '--', 'src', 'bench/*.ts', 'bench/setup') === '' ? hash : `${hash}+`;
  } catch {
    // A copy without its history measures all the same.
    return 'unknown';
  }
}

function git(...words: readonly string[]): string {
  return execFileSync('git', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
