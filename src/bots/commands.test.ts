import { describe, expect, test } from 'vitest';
import { chooseCommands, type Who } from './commands.ts';
import { botFile } from './schema.ts';

const nobody: Who = { everybody: false, author: false, administrators: false, users: new Set() };
const chosen = (commands: object) => chooseCommands(botFile.parse({ commands }).commands ?? {});

describe('who may give a command', () => {
  test('without a word in the file: anybody looks and stops, the rest is for author and administrators', () => {
    const everybody = { ...nobody, everybody: true };
    const careful = { ...nobody, author: true, administrators: true };
    expect(chooseCommands({})).toEqual({
      status: everybody,
      stop: everybody,
      reset: careful,
      compact: careful,
      model: careful,
    });
  });

  test.each<[string | readonly (string | number)[], Who]>([
    ['everybody', { ...nobody, everybody: true }],
    ['nobody', nobody],
    [[], nobody],
    ['author', { ...nobody, author: true }],
    ['administrators', { ...nobody, administrators: true }],
    [['author', 7, '8'], { ...nobody, author: true, users: new Set(['7', '8']) }],
  ])('%j', (who, expected) => {
    expect(chosen({ reset: who }).reset).toEqual(expected);
  });

  test('one that the file names changes no other', () => {
    expect(chosen({ reset: 'nobody' })).toEqual({ ...chooseCommands({}), reset: nobody });
  });

  test.each([
    [{ reset: 'somebody' }],
    [{ reset: 7 }],
    [{ reset: [{}] }],
    [{ dance: 'everybody' }],
    ['everybody'],
  ])('%j is refused', (commands) => {
    expect(botFile.safeParse({ commands }).success).toBe(false);
  });
});
