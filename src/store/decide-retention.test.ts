import { describe, expect, test } from 'vitest';
import { decideCutoffs, decideExpiry } from './decide-retention.ts';

const HOUR = 3_600_000;
const NOW = 1_000 * HOUR;

describe('what may go', () => {
  test.each([
    ['everything after the same time', 240, 6, { messages: 240, ledger: 240, others: 240 }],
    [
      'dedupe keys not before catch-up has passed them',
      240,
      480,
      { messages: 481, ledger: 240, others: 240 },
    ],
    ['costs not before the day that counts them', 1, 0, { messages: 1, ledger: 48, others: 1 }],
  ])('%s', (_what, retention, catchUp, hours) => {
    expect(decideCutoffs(NOW, { retentionMs: retention * HOUR, catchUpMs: catchUp * HOUR })).toEqual({
      messages: NOW - hours.messages * HOUR,
      ledger: NOW - hours.ledger * HOUR,
      others: NOW - hours.others * HOUR,
    });
  });
});

describe('a conversation that nobody came back to', () => {
  test.each([
    ['expired when its time to live was over', 10, 24, 100, 34],
    ['is kept for as long after that', 10, 24, 34, null],
    ['is kept before that', 10, 100, 50, null],
    ['without a time to live never expires', 10, null, 900, null],
  ])('%s', (_what, used, ttl, before, expired) => {
    expect(decideExpiry(used, ttl, before)).toBe(expired);
  });
});
