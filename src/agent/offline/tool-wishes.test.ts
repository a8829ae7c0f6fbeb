import { describe, expect, it } from 'vitest';
import { nextWish, readToolWishes } from './tool-wishes.ts';

describe('readToolWishes', () => {
  it.each([
    ['nothing', 'use the tool box', []],
    ['one without an input', 'please use tool TodoWrite', [['TodoWrite', {}, 1]]],
    ['one, several times', 'use tool Read with {"a":1} 3 times', [['Read', { a: 1 }, 3]]],
    [
      'several, on a line or on lines of their own',
      'Do: use tool Write with {"a":1} then use tool Edit with {"b":{"c":2}}.\n- Use tool Glob with {"d":3}',
      [
        ['Write', { a: 1 }, 1],
        ['Edit', { b: { c: 2 } }, 1],
        ['Glob', { d: 3 }, 1],
      ],
    ],
    [
      'one whose input holds braces, quotes and another wish',
      String.raw`use tool Write with {"content":"} \" use tool Read with {\"x\":1}"} 2 times, then use tool Read`,
      [
        ['Write', { content: '} " use tool Read with {"x":1}' }, 2],
        ['Read', {}, 1],
      ],
    ],
  ])('finds %s', (_what, text, expected) => {
    const wishes = expected.map(([name, input, times]) => ({ name, input, times }));
    expect(readToolWishes(text)).toEqual(wishes);
  });

  it.each([
    'use tool Read with {oops}',
    'use tool Read with {"a":',
    'use tool A with {} use tool B with {,}',
  ])('says that it cannot read %s', (text) => {
    expect(readToolWishes(text)).toBe('unreadable');
  });

  it('leaves what is too much undone', () => {
    expect(readToolWishes('use tool Read '.repeat(200))).toHaveLength(50);
  });
});

it('takes one wish after the other, each as often as it was made', () => {
  const [twice, once] = [
    { name: 'Read', input: {}, times: 2 },
    { name: 'Write', input: {}, times: 1 },
  ];
  const next = [0, 1, 2, 3].map((done) => nextWish([twice, once], done));
  expect(next).toEqual([twice, twice, once, null]);
});
