import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AT, makeGitProject } from '../../../test/fixtures/git-project.ts';
import { ImportRefused } from '../repository.ts';
import { IMPORT_LIMITS } from './import-from.ts';

function git(folder: string, args: readonly string[], input = ''): string {
  const who = ['-c', 'user.name=Somebody', '-c', 'user.email=somebody@example.org'];
  return execFileSync('git', [...who, ...args], {
    cwd: folder,
    input,
    stdio: 'pipe',
    encoding: 'utf8',
  }).trim();
}

/** Two commits of ordinary files; the first holds one that the second does not. */
function makeSource(folder: string): string {
  mkdirSync(folder);
  git(folder, ['init', '--quiet']);
  writeFileSync(join(folder, 'old'), 'only in the past');
  git(folder, ['add', '-A']);
  git(folder, ['commit', '--quiet', '-m', 'past']);
  rmSync(join(folder, 'old'));
  mkdirSync(join(folder, 'src'));
  writeFileSync(join(folder, 'src', 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(folder, 'windows.txt'), 'one\r\n');
  git(folder, ['add', '-A']);
  git(folder, ['commit', '--quiet', '-m', 'head']);
  return folder;
}

describe('importing a repository of this host', () => {
  test('brings the head’s files as a first commit of ours, without the history', async () => {
    const { top, root, repository, project, work } = await makeGitProject();
    const source = makeSource(join(top, 'source'));
    writeFileSync(join(source, 'untracked'), '1');
    const commit = await repository.importFrom(project, source, AT);
    expect(await repository.importFrom(project, source, AT)).toBe(commit);
    expect(await repository.branch(project)).toBe(null);
    await repository.resetWork(project, commit);
    expect(readdirSync(work).sort()).toEqual(['src', 'windows.txt']);
    expect(statSync(join(work, 'src/run.sh')).mode & 0o111).toBe(0o111);
    expect(readFileSync(join(work, 'windows.txt'), 'utf8')).toBe('one\r\n');

    const gitDir = join(root, project, 'repo.git');
    const shown = git(top, [`--git-dir=${gitDir}`, 'log', '--format=%an|%s|%at', commit]);
    expect(shown).toBe('Firekeeper|Import|1700000000');
    const past = git(source, ['rev-parse', 'HEAD']);
    expect(() => git(top, [`--git-dir=${gitDir}`, 'cat-file', '-e', past])).toThrow();
    expect(existsSync(join(gitDir, 'shallow'))).toBe(false);
    expect(readdirSync(join(root, project, 'scratch'))).toEqual([]);
    git(top, [`--git-dir=${gitDir}`, 'fsck', '--strict']);
  });

  test('takes a bare repository and a head without a branch', async () => {
    const { top, repository, project } = await makeGitProject();
    const source = makeSource(join(top, 'source'));
    git(source, ['checkout', '--quiet', '--detach']);
    git(top, ['clone', '--quiet', '--bare', source, join(top, 'bare.git')]);
    const commit = await repository.importFrom(project, join(top, 'bare.git'), AT);
    expect(await repository.importFrom(project, source, AT)).toBe(commit);
  });

  test('a malicious repository runs nothing, and nothing outside is read or written', async () => {
    const { top, repository, project, work } = await makeGitProject();
    const source = makeSource(join(top, 'source'));
    const outside = join(top, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'secret'), 'secret');
    const trap = join(top, 'trapped');
    const script = join(top, 'trap.sh');
    writeFileSync(script, `#!/bin/sh\ntouch ${trap}\n`, { mode: 0o755 });
    const names = ['-dash', '--upload-pack=x', 'new\nline', 'ünï', '..hidden', 'a b"c', 'dir/\u0001x'];
    for (const name of names) {
      mkdirSync(join(source, name, '..'), { recursive: true });
      writeFileSync(join(source, name), name);
    }
    symlinkSync('/etc/passwd', join(source, 'passwd'));
    symlinkSync(outside, join(source, 'linked'));
    writeFileSync(join(source, '.gitmodules'), `[submodule "sub"]\n\tpath = sub\n\turl = ext::${script}\n`);
    git(source, [
      'add',
      '-A',
      '--',
      ...names.map((name) => `:(literal)${name}`),
      'passwd',
      'linked',
      '.gitmodules',
    ]);
    const rules = '* filter=trap diff=trap text working-tree-encoding=UTF-16\n';
    const rulesId = git(source, ['hash-object', '-w', '--stdin'], rules);
    git(source, ['update-index', '--add', '--cacheinfo', `100644,${rulesId},.gitattributes`]);
    git(source, ['update-index', '--add', '--cacheinfo', `160000,${git(source, ['rev-parse', 'HEAD'])},sub`]);
    git(source, ['commit', '--quiet', '-m', 'evil']);
    const settings = [
      'core.fsmonitor',
      'core.sshCommand',
      'core.pager',
      'filter.trap.smudge',
      'filter.trap.process',
    ];
    for (const name of [
      ...settings,
      'uploadpack.packObjectsHook',
      'remote.origin.uploadpack',
      'core.alternateRefsCommand',
    ])
      git(source, ['config', name, script]);
    for (const hook of ['pre-receive', 'post-checkout', 'reference-transaction', 'post-index-change'])
      writeFileSync(join(source, '.git', 'hooks', hook), `#!/bin/sh\ntouch ${trap}\n`, { mode: 0o755 });

    const commit = await repository.importFrom(project, source, AT);
    await repository.resetWork(project, commit);
    const tree = await repository.readWork(project);
    expect(tree).toBe(await repository.treeOf(project, commit));
    const paths = await repository.list(project, tree, 100);
    const plain = ['.gitattributes', '.gitmodules', 'linked', 'passwd', 'src/run.sh', 'windows.txt'];
    expect([...paths].sort()).toEqual([...names, ...plain].sort());
    for (const name of names) expect(readFileSync(join(work, name), 'utf8')).toBe(name);
    expect(readFileSync(join(work, 'passwd'), 'utf8')).toBe('/etc/passwd');
    expect(readFileSync(join(work, 'linked'), 'utf8')).toBe(outside);
    expect(existsSync(join(work, 'sub'))).toBe(false);
    expect(readdirSync(outside)).toEqual(['secret']);
    expect(existsSync(trap)).toBe(false);
  });

  test('what is missing in a partial clone is not fetched by its command', async () => {
    const { top, repository, project } = await makeGitProject();
    const source = makeSource(join(top, 'source'));
    const trap = join(top, 'trapped');
    writeFileSync(join(top, 'trap.sh'), `#!/bin/sh\ntouch ${trap}\n`, { mode: 0o755 });
    const blob = git(source, ['rev-parse', 'HEAD:windows.txt']);
    rmSync(join(source, '.git/objects', blob.slice(0, 2), blob.slice(2)));
    for (const [name, value] of [
      ['core.repositoryFormatVersion', '1'],
      ['extensions.partialClone', 'origin'],
      ['remote.origin.promisor', 'true'],
      ['remote.origin.url', top],
      ['remote.origin.uploadpack', join(top, 'trap.sh')],
    ] as const)
      git(source, ['config', name, value]);
    await expect(repository.importFrom(project, source, AT)).rejects.toThrow(ImportRefused);
    expect(existsSync(trap)).toBe(false);
  });

  test.each(['.git', '.GIT', '..', 'git~1', '.git.'])('a tree with the name %j is refused', async (name) => {
    const { top, repository, project, root } = await makeGitProject();
    const source = makeSource(join(top, 'source'));
    const blob = git(source, ['hash-object', '-w', '--stdin'], 'evil');
    const entry = Buffer.concat([Buffer.from(`100644 ${name}\0`), Buffer.from(blob, 'hex')]);
    writeFileSync(join(top, 'tree'), entry);
    const tree = git(source, ['hash-object', '-w', '--literally', '-t', 'tree', join(top, 'tree')]);
    const commit = git(source, ['commit-tree', tree, '-m', 'evil']);
    git(source, ['update-ref', 'HEAD', commit]);
    await expect(repository.importFrom(project, source, AT)).rejects.toThrow('name git does not allow');
    expect(readdirSync(join(root, project, 'scratch'))).toEqual([]);
  });

  test.each([
    ['bytes', { bytes: 100_000, files: 100, timeMs: 60_000 }, 'larger'],
    ['bytes once unpacked', { bytes: 1_000_000, files: 100, timeMs: 60_000 }, 'larger'],
    ['files', { bytes: 1e9, files: 2, timeMs: 60_000 }, 'more than 2 files'],
    ['time', { bytes: 1e9, files: 100, timeMs: 1 }, 'too long'],
  ])('one over the limit of %s is refused', async (what, limits, reason) => {
    const { top, repository, project } = await makeGitProject(limits);
    const source = makeSource(join(top, 'source'));
    const large = what === 'bytes' ? randomBytes(300_000) : Buffer.alloc(2_000_000);
    writeFileSync(join(source, 'large'), large);
    git(source, ['add', '-A']);
    git(source, ['commit', '--quiet', '-m', 'large']);
    await expect(repository.importFrom(project, source, AT)).rejects.toThrow(reason);
  });

  test('what is fetched counts, not its files alone', async () => {
    const { top, repository, project } = await makeGitProject({ ...IMPORT_LIMITS, bytes: 20_000 });
    const source = makeSource(join(top, 'source'));
    rmSync(join(source, 'src'), { recursive: true });
    rmSync(join(source, 'windows.txt'));
    // What nothing can compress takes its own size and git's words about it.
    writeFileSync(join(source, 'random'), randomBytes(20_000));
    git(source, ['add', '-A']);
    git(source, ['commit', '--quiet', '-m', 'random']);
    await expect(repository.importFrom(project, source, AT)).rejects.toThrow('it is larger than');
  });

  test('what is no repository, holds no commit, is kept elsewhere or is a project is refused in words', async () => {
    const { top, root, repository, project } = await makeGitProject();
    const refusal = async (source: string) => {
      const refused = await repository.importFrom(project, source, AT).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(ImportRefused);
      expect(String(refused)).not.toContain(top);
      return refused instanceof ImportRefused ? refused.reason : '';
    };
    expect(await refusal(join(top, 'nowhere'))).toBe('there is no git repository');
    expect(await refusal(top)).toBe('there is no git repository');
    mkdirSync(join(top, 'empty'));
    git(join(top, 'empty'), ['init', '--quiet']);
    expect(await refusal(join(top, 'empty'))).toBe('it holds no commit');
    const source = makeSource(join(top, 'source'));
    git(source, ['worktree', 'add', '--quiet', join(top, 'tree')]);
    expect(await refusal(join(top, 'tree'))).toContain('elsewhere');
    renameSync(join(source, '.git'), join(top, 'moved.git'));
    symlinkSync(join(top, 'moved.git'), join(source, '.git'));
    expect(await refusal(source)).toContain('elsewhere');
    expect(await refusal(join(root, project, 'repo.git'))).toContain('project of this server');
    symlinkSync(join(root, project, 'repo.git'), join(top, 'innocent'));
    expect(await refusal(join(top, 'innocent'))).toContain('project of this server');
    writeFileSync(join(top, 'bundle'), '# v2 git bundle\n');
    expect(await refusal(join(top, 'bundle'))).toBe('there is no git repository');
  });
});

test('an address that nobody answers is refused without its words', async () => {
  const { repository, project } = await makeGitProject();
  const source = 'https://127.0.0.1:1/secret-name.git';
  const refused = await repository.importFrom(project, source, AT).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(ImportRefused);
  expect(String(refused)).toBe('ImportRefused: the source cannot be imported: it could not be read');
});
