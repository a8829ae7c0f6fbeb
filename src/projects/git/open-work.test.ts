import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeGitProject } from '../../../test/fixtures/git-project.ts';
import { makeTempFolder } from '../../../test/setup/temp.ts';
import { openWork, withOpenWork } from './open-work.ts';

test('what was closed is opened for its owner, and links are left alone', async () => {
  const top = makeTempFolder();
  const outside = join(top, 'outside');
  writeFileSync(outside, '1', { mode: 0o400 });
  const work = join(top, 'work');
  mkdirSync(join(work, 'deep'), { recursive: true });
  writeFileSync(join(work, 'deep', 'file'), '1');
  symlinkSync(outside, join(work, 'link'));
  expect(await openWork(work)).toBe(false);
  chmodSync(join(work, 'deep', 'file'), 0o011);
  chmodSync(join(work, 'deep'), 0o055);
  expect(await openWork(work)).toBe(true);
  expect([statSync(join(work, 'deep')).mode & 0o777, statSync(join(work, 'deep/file')).mode & 0o777]).toEqual(
    [0o755, 0o611],
  );
  expect(statSync(outside).mode & 0o777).toBe(0o400);
});

test('work that failed is tried again only when something was closed', async () => {
  const work = makeTempFolder();
  let tries = 0;
  const failing = () => {
    tries += 1;
    return Promise.reject(Object.assign(new Error('refused'), { code: 'EACCES' }));
  };
  await expect(withOpenWork(work, failing)).rejects.toThrow('refused');
  expect(tries).toBe(1);
  writeFileSync(join(work, 'closed'), '1', { mode: 0 });
  await expect(withOpenWork(work, failing)).rejects.toThrow('refused');
  expect(tries).toBe(3);
});

test('a closed folder and a closed file are read and reset like others', async () => {
  const { repository, project, work, write, save } = await makeGitProject();
  write('dir/file', '1');
  const commit = await save();
  const tree = await repository.treeOf(project, commit);
  write('dir/file', '2');
  write('new/file', '1');
  chmodSync(join(work, 'dir/file'), 0);
  chmodSync(join(work, 'new'), 0);
  expect(await repository.list(project, await repository.readWork(project), 9)).toEqual([
    'dir/file',
    'new/file',
  ]);
  chmodSync(join(work, 'dir'), 0o500);
  chmodSync(join(work, 'new'), 0o500);
  await repository.resetWork(project, commit);
  expect(readdirSync(work)).toEqual(['dir']);
  expect(await repository.readWork(project)).toBe(tree);
});
