import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, it } from 'vitest';
import { makeTempFolder } from '../../../test/setup/temp.ts';
import { makeCampfireDatabase } from './read-database.ts';

const RECORDED = fileURLToPath(new URL('../../../test/fixtures/campfire/campfire.sqlite3', import.meta.url));
let folder: string;
let reasons: string[];

function open(path: string) {
  return makeCampfireDatabase(path, (reason) => reasons.push(reason));
}

beforeEach(() => {
  folder = makeTempFolder();
  reasons = [];
});

it('reads the newest messages of one user in one room, oldest first', () => {
  const messages = open(RECORDED).messagesOf({ room: 2, userId: 3, afterId: 400 }) ?? [];
  expect(messages.length).toBeGreaterThan(0);
  expect(messages.every(({ platformId }) => Number(platformId) > 400)).toBe(true);
  expect(messages.map(({ platformId }) => Number(platformId))).toEqual(
    messages.map(({ platformId }) => Number(platformId)).sort((one, other) => one - other),
  );
  expect(messages.at(-1)?.plainText).toContain('Here is the summary you asked for (9)');
  expect(open(RECORDED).messagesOf({ room: 3, userId: 3, afterId: null })).toEqual([]);
  expect(reasons).toEqual([]);
});

it('reads a message that the search index does not have yet', () => {
  const path = join(folder, 'campfire.sqlite3');
  copyFileSync(RECORDED, path);
  using database = new DatabaseSync(path);
  database.exec('DELETE FROM message_search_index WHERE rowid = 425');
  expect(open(path).messagesOf({ room: 2, userId: 3, afterId: 424 })).toEqual([
    { platformId: '425', plainText: expect.stringContaining('Here is the summary you asked for (9)') },
  ]);
});

it.each([
  [1, false],
  [2, false],
  [3, true],
  [4, true],
  [999, null],
])('user %i being a bot is %s', (user, expected) => {
  expect(open(RECORDED).isBot(user)).toBe(expected);
});

it.each([
  [1, true],
  [2, false],
  [3, false],
  [999, null],
])('user %i being an administrator is %s', (user, expected) => {
  expect(open(RECORDED).isAdministrator(user)).toBe(expected);
});

it('says that a missing, foreign or broken file cannot be read, and changes none', () => {
  const empty = join(folder, 'empty.sqlite3');
  const broken = join(folder, 'broken.sqlite3');
  writeFileSync(empty, '');
  writeFileSync(broken, 'no database at all, and longer than a header of one hundred bytes'.repeat(9));
  for (const path of [join(folder, 'missing.sqlite3'), folder, empty, broken]) {
    expect(open(path).isBot(3)).toBe(null);
    expect(open(path).messagesOf({ room: 2, userId: 3, afterId: null })).toBe(null);
  }
  expect(reasons).toHaveLength(8);
});
