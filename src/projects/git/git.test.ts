import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AT, gitEnv, makeGitProject } from '../../../test/fixtures/git-project.ts';
import { systemClock } from '../../base/clock.ts';
import { RepositoryFailed } from '../repository.ts';
import type { CommitId, ProjectId } from '../terms.ts';
import { makeGitRepository } from './git.ts';

describe('reading and resetting the working directory', () => {
  test('a tree goes out and comes back byte for byte, whatever its attributes say', async () => {
    const { repository, project, work, write, save, list } = await makeGitProject();
    write('.gitattributes', '* text=auto eol=crlf ident filter=trap working-tree-encoding=UTF-16\n');
    write('windows.txt', 'one\r\ntwo\r\n$Id$\n');
    write('ünï\ncode/-dash "quoted".txt', 'x');
    write('run.sh', '#!/bin/sh\n');
    chmodSync(join(work, 'run.sh'), 0o755);
    const commit = await save();
    const tree = await repository.treeOf(project, commit);
    await repository.resetWork(project, null);
    expect(readdirSync(work)).toEqual([]);
    await repository.resetWork(project, commit);
    expect(readFileSync(join(work, 'windows.txt'), 'utf8')).toBe('one\r\ntwo\r\n$Id$\n');
    expect(statSync(join(work, 'run.sh')).mode & 0o111).toBe(0o111);
    expect(await repository.readWork(project)).toBe(tree);
    expect(await list(tree)).toEqual([
      '.gitattributes',
      'run.sh',
      'windows.txt',
      'ünï\ncode/-dash "quoted".txt',
    ]);
    expect(await repository.fileCount(project, tree)).toBe(4);
  });

  test('a tree serves as well as a commit, and names that are not UTF-8 survive', async () => {
    const { repository, project, work } = await makeGitProject();
    const name = Buffer.from([0x66, 0xff, 0xfe]);
    writeFileSync(Buffer.concat([Buffer.from(`${work}/`), name]), 'x');
    const tree = await repository.readWork(project);
    await repository.resetWork(project, null);
    await repository.resetWork(project, tree);
    expect(readdirSync(work, { encoding: 'buffer' })).toEqual([name]);
    expect(await repository.readWork(project)).toBe(tree);
  });

  test('changed, new and deleted files are seen, a file that becomes a folder and back too', async () => {
    const { repository, project, work, write, save, list } = await makeGitProject();
    write('a', '1');
    write('b/c', '2');
    write('d', '3');
    const first = await save();
    rmSync(join(work, 'd'));
    rmSync(join(work, 'a'));
    write('a/deep/er', '1');
    rmSync(join(work, 'b'), { recursive: true });
    write('b', 'now a file');
    const tree = await repository.readWork(project);
    expect(await list(tree)).toEqual(['a/deep/er', 'b']);
    await repository.resetWork(project, first);
    expect(await list(await repository.readWork(project))).toEqual(['a', 'b/c', 'd']);
    await repository.resetWork(project, tree);
    expect(await repository.readWork(project)).toBe(tree);
  });

  test('a change of the same size within the same moment is seen', async () => {
    const { repository, project, work, write } = await makeGitProject();
    write('a', 'one');
    const first = await repository.readWork(project);
    const { atime, mtime } = statSync(join(work, 'a'));
    writeFileSync(join(work, 'a'), 'two');
    utimesSync(join(work, 'a'), atime, mtime);
    const second = await repository.readWork(project);
    expect(second).not.toBe(first);
    await repository.resetWork(project, first);
    expect(readFileSync(join(work, 'a'), 'utf8')).toBe('one');
  });

  test('ignored files are no part of a tree and stay; what is tracked stays tracked', async () => {
    const { repository, project, work, write, save, list } = await makeGitProject();
    write('kept.log', 'tracked before the rule');
    const before = await repository.readWork(project);
    write('.gitignore', 'node_modules/\n*.log\n');
    write('node_modules/x/index.js', '1');
    write('node_modules/x/.gitignore', '*');
    write('other.log', '1');
    const commit = await save();
    expect(await list(await repository.treeOf(project, commit))).toEqual(['.gitignore', 'kept.log']);
    write('junk/new.txt', '1');
    await repository.resetWork(project, commit);
    expect(readdirSync(work).sort()).toEqual(['.gitignore', 'kept.log', 'node_modules', 'other.log']);
    expect(readdirSync(join(work, 'node_modules/x')).sort()).toEqual(['.gitignore', 'index.js']);
    expect(await list(before)).toEqual(['kept.log']);
  });

  test('rules of ignoring that a failed attempt left hide nothing from the next one', async () => {
    const { repository, project, work, write, save, list } = await makeGitProject();
    write('src/a', '1');
    const commit = await save();
    write('.gitignore', '*\n');
    write('src/.gitignore', '*\n');
    write('junk/.gitignore', '*\n');
    write('junk/deep/file', '1');
    write('src/new', '1');
    await repository.resetWork(project, commit);
    expect(readdirSync(work)).toEqual(['src']);
    expect(readdirSync(join(work, 'src'))).toEqual(['a']);
    write('src/b', '1');
    expect(await list(await repository.readWork(project))).toEqual(['src/a', 'src/b']);
  });

  test('a missing working directory is no empty one, and is made again by a reset', async () => {
    const { repository, project, work, write, save } = await makeGitProject();
    write('a', '1');
    const commit = await save();
    rmSync(work, { recursive: true });
    await expect(repository.readWork(project)).rejects.toThrow(RepositoryFailed);
    await repository.resetWork(project, commit);
    expect(readFileSync(join(work, 'a'), 'utf8')).toBe('1');
  });

  test('what a killed call left in the index folder stands in nobody’s way', async () => {
    const { repository, project, gitDir, write, save, work } = await makeGitProject();
    write('a', '1');
    const commit = await save();
    writeFileSync(join(gitDir, 'index.lock'), '');
    rmSync(join(gitDir, 'index'));
    write('b', '1');
    await repository.resetWork(project, commit);
    expect(readdirSync(work)).toEqual(['a']);
  });
});

describe('commits, the branch and versions', () => {
  test('the same facts make the same commit, and a subject cannot hold a trailer', async () => {
    const { repository, project, write, gitDir } = await makeGitProject();
    write('a', '1');
    const tree = await repository.readWork(project);
    const facts = { tree, parent: null, subject: 'Add ä\n\nUpdate: 9', trailers: { Update: '1' }, at: AT };
    const commit = await repository.commit(project, facts);
    expect(await repository.commit(project, facts)).toBe(commit);
    expect(await repository.commit(project, { ...facts, at: AT + 1_000 })).not.toBe(commit);
    const shown = execFileSync('git', [`--git-dir=${gitDir}`, 'cat-file', 'commit', commit], {
      encoding: 'utf8',
    });
    const who = 'Firekeeper <firekeeper@localhost> 1700000000 +0000';
    expect(shown).toBe(`tree ${tree}\nauthor ${who}\ncommitter ${who}\n\nAdd ä Update: 9\n\nUpdate: 1\n`);
    expect(await repository.branch(project)).toBe(null);
    expect(await repository.treeOf(project, commit)).toBe(tree);
  });

  test('the branch moves by compare-and-set, and whoever comes late moves nothing', async () => {
    const { repository, project, write, save, gitDir } = await makeGitProject();
    write('a', '1');
    const one = await save();
    write('a', '2');
    const two = await save(one);
    write('a', '3');
    const three = await save(two);
    await repository.publish(project, { from: null, to: one, version: 1 });
    await repository.publish(project, { from: null, to: one, version: 1 });
    expect(await repository.branch(project)).toBe(one);
    await repository.publish(project, { from: one, to: two, version: 2 });
    await repository.publish(project, { from: one, to: three, version: 3 });
    await repository.publish(project, { from: null, to: one, version: 1 });
    expect(await repository.branch(project)).toBe(two);
    const refs = execFileSync('git', [`--git-dir=${gitDir}`, 'for-each-ref', '--format=%(refname)'], {
      encoding: 'utf8',
    });
    expect(refs.trim().split('\n')).toEqual(['refs/heads/main', 'refs/versions/1', 'refs/versions/2']);
  });

  test('a lock that a killed process left does not stop the branch', async () => {
    const { repository, project, write, save, gitDir } = await makeGitProject();
    write('a', '1');
    const one = await save();
    await repository.publish(project, { from: null, to: one, version: null });
    const two = await save(one);
    for (const lock of ['HEAD.lock', 'refs/heads/main.lock']) writeFileSync(join(gitDir, lock), '');
    await repository.publish(project, { from: one, to: two, version: 1 });
    expect(await repository.branch(project)).toBe(two);
  });

  test('the hooks of the repository never run', async () => {
    const { top, repository, project, write, save, gitDir, work } = await makeGitProject();
    const trap = join(top, 'trapped');
    mkdirSync(join(gitDir, 'hooks'));
    for (const hook of ['reference-transaction', 'post-index-change', 'post-checkout'])
      writeFileSync(join(gitDir, 'hooks', hook), `#!/bin/sh\ntouch ${trap}\n`, { mode: 0o755 });
    write('a', '1');
    const commit = await save();
    await repository.publish(project, { from: null, to: commit, version: 1 });
    await repository.resetWork(project, null);
    await repository.resetWork(project, commit);
    expect(readdirSync(work)).toEqual(['a']);
    expect(existsSync(trap)).toBe(false);
  });

  test('ids that are no names of objects are refused', async () => {
    const { repository, project } = await makeGitProject();
    const odd = '--output=/etc/passwd' as string as CommitId;
    await expect(repository.treeOf(project, odd)).rejects.toThrow(RepositoryFailed);
    await expect(repository.diff(project, null, odd, 10)).rejects.toThrow(RepositoryFailed);
    await expect(repository.resetWork(project, 'HEAD' as string as CommitId)).rejects.toThrow(
      RepositoryFailed,
    );
  });
});

describe('looking at versions', () => {
  test('changes are counted whole and named up to a limit', async () => {
    const { repository, project, work, write, save } = await makeGitProject();
    write('a', '1\n2\n');
    write('b', '1\n');
    const one = await save();
    write('a', '1\n3\n4\n');
    rmSync(join(work, 'b'));
    write('c\td', 'x\n');
    writeFileSync(join(work, 'image'), Buffer.from([0, 1, 2]));
    const two = await save(one);
    expect(await repository.changes(project, one, two, 2)).toEqual({
      files: 4,
      added: 3,
      removed: 2,
      paths: ['a', 'b'],
    });
    expect(await repository.changes(project, null, one, 9)).toMatchObject({ files: 2, added: 3, removed: 0 });
    expect((await repository.changes(project, one, two, 9)).paths).toContain('c\td');
  });

  test('a difference is shown by git alone and cut off at its limit', async () => {
    const { top, repository, project, write, save, gitDir } = await makeGitProject();
    const trap = join(top, 'trapped');
    const script = join(top, 'trap.sh');
    writeFileSync(script, `#!/bin/sh\ntouch ${trap}\n`, { mode: 0o755 });
    for (const name of ['diff.external', 'diff.trap.command', 'diff.trap.textconv'])
      execFileSync('git', [`--git-dir=${gitDir}`, 'config', name, script]);
    write('.gitattributes', '* diff=trap\n');
    write('ä', 'one\n');
    const one = await save();
    write('ä', `${'ö'.repeat(50_000)}\n`);
    const two = await save(one);
    const whole = await repository.diff(project, one, two, 1_000_000);
    expect(whole.cut).toBe(false);
    expect(whole.text).toContain('--- a/ä\n+++ b/ä\n@@ -1 +1 @@\n-one\n+öö');
    const { text, cut } = await repository.diff(project, one, two, 1_000);
    expect([cut, whole.text.startsWith(text)]).toEqual([true, true]);
    expect((await repository.diff(project, null, one, 1_000)).text).toContain('new file mode 100644');
    expect(existsSync(trap)).toBe(false);
  });

  test('an archive holds every file as it is', async () => {
    const { top, repository, project, write, save } = await makeGitProject();
    write('.gitattributes', 'hidden export-ignore\nstamped export-subst\n');
    write('hidden', '1');
    write('stamped', '$Format:%H$');
    const chunks: Uint8Array[] = [];
    for await (const chunk of repository.archive(project, await save())) chunks.push(chunk);
    writeFileSync(join(top, 'all.tar'), Buffer.concat(chunks));
    execFileSync('tar', ['-xf', 'all.tar', 'hidden', 'stamped'], { cwd: top });
    expect(readFileSync(join(top, 'stamped'), 'utf8')).toBe('$Format:%H$');
  });
});

describe('where projects lie', () => {
  test('only ids of ours become folders', async () => {
    const { repository, root } = await makeGitProject();
    for (const id of ['..', '../x', 'x', '', '/etc', `${randomUUID()}/..`]) {
      expect(() => repository.workdir(id as string as ProjectId)).toThrow('UUID');
      await expect(repository.init(id as string as ProjectId)).rejects.toThrow('UUID');
    }
    expect(readdirSync(root)).toHaveLength(1);
  });

  test('a project that is a link, or whose repository or working directory is one, is refused', async () => {
    const { top, repository, project, root, work, gitDir } = await makeGitProject();
    const other = randomUUID() as string as ProjectId;
    symlinkSync(join(root, project), join(root, other));
    await expect(repository.readWork(other)).rejects.toThrow(RepositoryFailed);
    rmSync(work, { recursive: true });
    writeFileSync(join(top, 'closed'), '1', { mode: 0o011 });
    symlinkSync(top, work);
    await expect(repository.readWork(project)).rejects.toThrow(RepositoryFailed);
    await expect(repository.resetWork(project, null)).rejects.toThrow(RepositoryFailed);
    expect(statSync(join(top, 'closed')).mode & 0o777).toBe(0o011);
    expect(existsSync(gitDir)).toBe(true);
    const linked = join(top, 'linked');
    symlinkSync(root, linked);
    expect(() => makeGitRepository({ root: linked, baseEnv: gitEnv, clock: systemClock })).toThrow('link');
  });

  test('a project that is not there fails, and deleting it twice does not', async () => {
    const { repository, project, root, write } = await makeGitProject();
    write('a', '1');
    await repository.delete(project);
    expect(readdirSync(root)).toEqual([]);
    await repository.delete(project);
    await expect(repository.branch(project)).rejects.toMatchObject({ kind: 'broken' });
  });

  test('init twice keeps what is there', async () => {
    const { repository, project, write, save } = await makeGitProject();
    write('a', '1');
    const one = await save();
    await repository.publish(project, { from: null, to: one, version: 1 });
    await repository.init(project);
    expect(await repository.branch(project)).toBe(one);
  });
});
