import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeTempFolder } from '../../../test/setup/temp.ts';
import { systemProcessTable } from '../../agent/agent.ts';
import { systemClock } from '../../base/clock.ts';
import type { AgentId } from '../../base/terms.ts';
import { toGitEnvironment } from './environment.ts';
import { GitFailed, makeGit } from './run-git.ts';

const MARKS = { owner: 'git-test', agent: 'git-test-agent' as AgentId };

/** A program in git's place; its arguments are git's. */
function makeProgram(script: string) {
  const folder = makeTempFolder();
  const executable = join(folder, 'git');
  writeFileSync(executable, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const baseEnv = { PATH: process.env.PATH ?? '', SECRET: 'secret', HTTPS_PROXY: 'http://proxy.example' };
  const git = makeGit({ executable, baseEnv, marks: MARKS, clock: systemClock });
  return { folder, git, call: { gitDir: folder, args: ['some'] } };
}

/** Zombies count as gone: nobody but their parent can end them. */
async function isAlive(pid: number): Promise<boolean> {
  const rows = await systemProcessTable(process.platform).rows();
  return rows.some((row) => row.pid === pid);
}

test('git gets our words and nothing of the server’s environment but PATH', async () => {
  const { git, call } = makeProgram('env');
  const got = (await git.text(call)).split('\n');
  const names = got.map((line) => line.slice(0, line.indexOf('=')));
  expect(names).not.toContain('SECRET');
  expect(names).not.toContain('HTTPS_PROXY');
  expect(got).toContain('GIT_CONFIG_NOSYSTEM=1');
  expect(got).toContain('GIT_ALLOW_PROTOCOL=');
  expect(got).toContain('FIREKEEPER_OWNER=git-test');
  expect(toGitEnvironment({ HTTPS_PROXY: 'p', SECRET: 's' }, 'https')).toMatchObject({ HTTPS_PROXY: 'p' });
  expect(toGitEnvironment({ SECRET: 's' }, 'https')).not.toHaveProperty('SECRET');
});

test('git follows no redirect, asks nobody for a password and looks into no submodule', async () => {
  const { git, call } = makeProgram('for argument; do echo "$argument"; done');
  const got = (await git.text(call)).split('\n');
  for (const setting of [
    'http.followRedirects=false',
    'credential.helper=',
    'submodule.recurse=false',
    'fetch.recurseSubmodules=false',
    'core.hooksPath=/dev/null',
    'core.fsmonitor=false',
  ])
    expect(got[got.indexOf(setting) - 1]).toBe('-c');
  expect(got.at(-1)).toBe('some');
});

test('a call that takes too long ends with its children', async () => {
  const { git, call } = makeProgram('sleep 600 & echo $!; exec sleep 600');
  let child = 0;
  const read = async () => {
    for await (const chunk of git.stream({ ...call, limitMs: 300 })) child = Number(chunk.toString());
  };
  await expect(read()).rejects.toMatchObject({ kind: 'broken', timedOut: true });
  expect(child).toBeGreaterThan(0);
  await expect.poll(() => isAlive(child)).toBe(false);
});

test('whoever stops reading ends the process', async () => {
  const { git, call } = makeProgram('echo $$; while :; do echo more; done');
  let pid = 0;
  for await (const chunk of git.stream(call)) {
    pid = Number.parseInt(chunk.toString(), 10);
    break;
  }
  expect(await isAlive(pid)).toBe(false);
});

test('an abort ends it too', async () => {
  const { git, call } = makeProgram('exec sleep 600');
  await expect(git.text({ ...call, signal: AbortSignal.abort() })).rejects.toThrow('SIGKILL');
});

test('a full disk is told from other failures, and neither message repeats what git said', async () => {
  const full = makeProgram('echo "fatal: write error: No space left on device" >&2; exit 128');
  await expect(full.git.text(full.call)).rejects.toMatchObject({
    kind: 'disk_full',
    message: 'the repository failed: git some ended with code 128',
  });
  const other = makeProgram('echo "fatal: /secret/path" >&2; exit 128');
  await expect(other.git.text(other.call)).rejects.toMatchObject({
    kind: 'broken',
    stderr: 'fatal: /secret/path\n',
  });
  expect(await other.git.text({ ...other.call, expected: [128] })).toBe('');
});

test('a git that is not there, or that writes without an end, fails', async () => {
  const { git, call } = makeProgram('yes');
  await expect(git.text(call)).rejects.toThrow('wrote too much');
  const read = async () => {
    for await (const record of git.records(call)) expect(record).toBe('never');
  };
  await expect(read()).rejects.toThrow('without an end');
  const none = makeGit({ executable: '/nowhere/git', baseEnv: {}, marks: null, clock: systemClock });
  await expect(none.text(call)).rejects.toThrow(GitFailed);
});
