import { describe, expect, it } from 'vitest';
import { toName, toText } from './text.ts';

const MENTION =
  '<action-text-attachment sgid="x" content-type="application/vnd.campfire.mention"></action-text-attachment>';

describe("a message's text", () => {
  it.each([
    [
      'closes the gap that a removed mention left',
      'please  summarise',
      `please ${MENTION} summarise`,
      'please summarise',
    ],
    ['closes as many gaps as there are mentions', 'a  b  c  d', `${MENTION}${MENTION}`, 'a b c  d'],
    ['keeps double spaces where nobody is mentioned', 'hi  there', '<div>hi  there</div>', 'hi  there'],
    ['keeps double spaces without HTML', 'hi  there', null, 'hi  there'],
    ['keeps longer runs of spaces', 'a    b', MENTION, 'a    b'],
    ['keeps line breaks and indentation', 'def f\n  x\n\n  y', MENTION, 'def f\n  x\n\n  y'],
    ['removes NUL', 'a\0b\0', null, 'ab'],
    ['replaces half a surrogate pair', 'a\ud800b', null, 'a\ufffdb'],
    ['may be empty', '', MENTION, ''],
  ])('%s', (_title, plain, html, text) => {
    expect(toText(plain, html)).toBe(text);
  });
});

describe('a name', () => {
  it.each([
    ['stays as it is', 'Kevin O’Brien', 'Kevin O’Brien'],
    ['is one line', ' Kevin\n\tO\0Brien ', 'Kevin OBrien'],
    ['has at most 200 characters', 'x'.repeat(500), 'x'.repeat(200)],
    ['never ends in half a surrogate pair', `${'x'.repeat(199)}🎉`, `${'x'.repeat(199)}\ufffd`],
  ])('%s', (_title, name, expected) => {
    expect(toName(name)).toBe(expected);
  });
});
