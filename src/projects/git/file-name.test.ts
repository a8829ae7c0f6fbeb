import { expect, test } from 'vitest';
import { isTrackableName, isTrackablePath } from './file-name.ts';

const bytes = (name: string) => Buffer.from(name, 'utf8').toString('latin1');

test.each(['a', '.gitignore', '.github', 'git', '..a', '...', '-x', 'a b', 'new\nline', 'ä', 'x~1', 'a\\b'])(
  '%j may stand in a tree',
  (name) => {
    expect(isTrackableName(bytes(name))).toBe(true);
  },
);

test.each([
  '',
  '.',
  '..',
  '.git',
  '.GIT',
  '.Git ',
  '.git.',
  '.git...',
  'git~1',
  'GIT~2',
  '.git:stream',
  '.git::$INDEX_ALLOCATION',
  '.g\u200cit',
  '\ufeff.git',
  'a\\.git\\config',
])('%j may not', (name) => {
  expect(isTrackableName(bytes(name))).toBe(false);
});

test('a path is as good as each of its names', () => {
  expect(isTrackablePath('a/b/c')).toBe(true);
  expect(['/a', 'a//b', 'a/', 'a/../b', './a', 'a/.git/config'].filter(isTrackablePath)).toEqual([]);
});
