import { expect, it } from 'vitest';
import { toDetail } from './detail.ts';

it('keeps addresses and keys out of the log, and everything short', () => {
  expect(toDetail(' proxy http://user:secret@proxy:3128/x refused, key sk-ant-api03-abc_DEF ')).toBe(
    'proxy <url> refused, key <key>',
  );
  expect(toDetail('x'.repeat(10_000))).toHaveLength(500);
});
