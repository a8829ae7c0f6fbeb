import { expect, test } from 'vitest';
import { makeTail, toPlain } from './tail.ts';

test.each([
  ['plain\n', 'plain\n'],
  ['\u001b[31mred\u001b[0m\n', 'red\n'],
  ['\u001b]0;title\u0007text', 'text'],
  ['one\r\ntwo\r\n', 'one\ntwo\n'],
  ['10 %\r50 %\r100 %\ndone', '100 %\ndone'],
  ['a\u0000b\u0008\tc', 'ab\tc'],
])('%j reads %j', (written, text) => {
  expect(toPlain(written)).toBe(text);
});

test('of a long output the end is kept, from the beginning of a line', () => {
  const tail = makeTail(100);
  for (let line = 1; line <= 10_000; line++) tail.add(Buffer.from(`\u001b[32mline ${line}\u001b[0m\n`));
  const text = tail.text();
  expect(text.startsWith('line 99')).toBe(true);
  expect(text.endsWith('line 10000\n')).toBe(true);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(100);
});

test('a character is never cut in two', () => {
  const tail = makeTail(101);
  tail.add(Buffer.from('ö'.repeat(1_000)));
  expect(tail.text()).toBe('ö'.repeat(50));
});
