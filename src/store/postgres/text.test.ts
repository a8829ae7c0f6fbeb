import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeText, encodeText } from './text.ts';

const awkward = fc.string({ unit: fc.constantFrom('\0', '\u001A', '0', '1', 'a', '🔥') });

test('every text comes back as it was given, and what is stored holds no NUL', () => {
  fc.assert(
    fc.property(fc.oneof(awkward, fc.string({ unit: 'grapheme' })), (text) => {
      expect(encodeText(text)).not.toContain('\0');
      expect(decodeText(encodeText(text))).toBe(text);
    }),
  );
});

test('different texts stay different', () => {
  fc.assert(
    fc.property(awkward, awkward, (one, other) => {
      expect(encodeText(one) === encodeText(other)).toBe(one === other);
    }),
  );
});
