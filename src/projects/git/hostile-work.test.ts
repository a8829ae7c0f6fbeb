import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeGitProject, plantRepository } from '../../../test/fixtures/git-project.ts';

describe('what an agent may leave in the working directory', () => {
  test('links are kept as the text of where they point, and never followed', async () => {
    const { top, repository, project, work, write, modes } = await makeGitProject();
    const outside = join(top, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'secret'), 'secret');
    write('a', '1');
    symlinkSync(outside, join(work, 'folder'));
    symlinkSync('/etc/passwd', join(work, 'passwd'));
    symlinkSync('nowhere', join(work, 'dangling'));
    const tree = await repository.readWork(project);
    expect(modes(tree).match(/^\d+/gm)).toEqual(['100644', '100644', '100644', '100644']);
    await repository.resetWork(project, tree);
    expect(readFileSync(join(work, 'passwd'), 'utf8')).toBe('/etc/passwd');
    expect(readFileSync(join(work, 'folder'), 'utf8')).toBe(outside);
    expect(await repository.readWork(project)).toBe(tree);
    expect(readdirSync(outside)).toEqual(['secret']);
  });

  test('nothing is written or deleted through a link that took the place of a folder', async () => {
    const { top, repository, project, work, write, save, list } = await makeGitProject();
    const outside = join(top, 'outside');
    mkdirSync(join(outside, 'sub'), { recursive: true });
    writeFileSync(join(outside, 'file'), 'theirs');
    write('dir/file', 'ours');
    write('dir/sub/other', 'ours');
    const commit = await save();
    rmSync(join(work, 'dir'), { recursive: true });
    symlinkSync(outside, join(work, 'dir'));
    expect(await list(await repository.readWork(project))).toEqual(['dir']);
    await repository.resetWork(project, commit);
    expect(lstatSync(join(work, 'dir')).isDirectory()).toBe(true);
    expect(readFileSync(join(work, 'dir/file'), 'utf8')).toBe('ours');
    rmSync(join(work, 'dir'), { recursive: true });
    symlinkSync(outside, join(work, 'dir'));
    await repository.resetWork(project, null);
    expect(readdirSync(work)).toEqual([]);
    expect(readFileSync(join(outside, 'file'), 'utf8')).toBe('theirs');
    expect(readdirSync(join(outside, 'sub'))).toEqual([]);
  });

  test('a folder that was moved away behind a link comes back', async () => {
    const { repository, project, work, write, save } = await makeGitProject();
    write('dir/file', 'ours');
    const commit = await save();
    renameSync(join(work, 'dir'), join(work, 'moved'));
    symlinkSync('moved', join(work, 'dir'));
    await repository.resetWork(project, commit);
    expect(lstatSync(join(work, 'dir')).isDirectory()).toBe(true);
    expect(readFileSync(join(work, 'dir/file'), 'utf8')).toBe('ours');
    expect(readdirSync(work)).toEqual(['dir']);
  });

  test('the files of a nested repository are files, its .git is none, and its configuration runs nothing', async () => {
    const { top, repository, project, work, write, list, modes, save } = await makeGitProject();
    const trap = join(top, 'trapped');
    write('tracked/file', '1');
    write('was-file', '1');
    const commit = await save();
    rmSync(join(work, 'was-file'));
    for (const folder of ['nested', 'tracked', 'was-file', 'nested/deeper'])
      plantRepository(join(work, folder), trap);
    write('nested/.gitignore', '*.log\n');
    write('nested/x.log', '1');
    write('nested/deeper/.gitattributes', '* filter=trap\n');
    const tree = await repository.readWork(project);
    expect(await list(tree)).toEqual([
      'nested/.gitignore',
      'nested/deeper/.gitattributes',
      'nested/deeper/kept.txt',
      'nested/kept.txt',
      'tracked/file',
      'tracked/kept.txt',
      'was-file/kept.txt',
    ]);
    expect(modes(tree)).not.toContain('160000');
    expect(await repository.readWork(project)).toBe(tree);
    await repository.resetWork(project, tree);
    expect(existsSync(join(work, 'nested/.git'))).toBe(false);
    await repository.resetWork(project, commit);
    expect(readdirSync(work).sort()).toEqual(['tracked', 'was-file']);
    expect(readdirSync(join(work, 'tracked'))).toEqual(['file']);
    expect(existsSync(trap)).toBe(false);
  });

  test('a .git at the top is no part of a tree and is taken away, a folder, a file or a link', async () => {
    const { top, repository, project, work, write, save, list } = await makeGitProject();
    write('a', '1');
    const commit = await save();
    const trap = join(top, 'trapped');
    plantRepository(work, trap);
    expect(await list(await repository.readWork(project))).toEqual(['a', 'kept.txt']);
    await repository.resetWork(project, commit);
    expect(readdirSync(work)).toEqual(['a']);
    writeFileSync(join(work, '.git'), 'gitdir: /elsewhere\n');
    await repository.resetWork(project, commit);
    symlinkSync(top, join(work, '.git'));
    await repository.resetWork(project, commit);
    expect(readdirSync(work)).toEqual(['a']);
    expect(readdirSync(top)).toEqual(['projects']);
  });

  test('names that other systems take for .git and things that are no files are left out', async () => {
    const { repository, project, work, write, list, save } = await makeGitProject();
    write('.GIT/config', '[core]');
    write('git~1', '1');
    write('.g\u200cit/config', '1');
    write('pipe', '1');
    write('ok', '1');
    await save();
    rmSync(join(work, 'pipe'));
    execFileSync('mkfifo', [join(work, 'pipe'), join(work, 'pipe2')]);
    expect(await list(await repository.readWork(project))).toEqual(['ok']);
  });
});
