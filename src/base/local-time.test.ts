import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromLocalTime, toLocalTime } from './local-time.ts';

test.each([
  [Date.UTC(2026, 0, 1, 0, 0, 0, 123), 'UTC', '2026-01-01T00:00:00.123000'],
  [Date.UTC(2026, 0, 1), 'UTC', '2026-01-01T00:00:00'],
  [Date.UTC(2025, 10, 15, 10, 0, 0, 5), 'Asia/Shanghai', '2025-11-15T18:00:00.005000'],
  [Date.UTC(2026, 6, 1, 23, 30), 'Europe/Berlin', '2026-07-02T01:30:00'],
  [Date.UTC(2026, 0, 1), 'America/St_Johns', '2025-12-31T20:30:00'],
])('%i in %s is %s, and back', (instant, zone, text) => {
  expect(toLocalTime(instant, zone)).toBe(text);
  expect(fromLocalTime(text, zone)).toBe(instant);
});

test.each([
  ['2025-11-15T10:00:00.123456', Date.UTC(2025, 10, 15, 10, 0, 0, 123)],
  ['2025-11-15T10:00:00.5', Date.UTC(2025, 10, 15, 10, 0, 0, 500)],
  ['2025-11-15T10:00:00Z', Date.UTC(2025, 10, 15, 10)],
  ['2025-11-15T10:00:00+08:00', Date.UTC(2025, 10, 15, 2)],
  ['2025-11-15', null],
  ['2025-02-30T10:00:00', null],
  ['2025-11-15T25:00:00', null],
  ['yesterday', null],
  ['', null],
])('%j is read as %s', (text, instant) => {
  expect(fromLocalTime(text, 'UTC')).toBe(instant);
});

test('every moment outside the hour that a clock passes twice comes back', () => {
  const backwards = Date.UTC(2026, 9, 25, 1);
  const moment = fc
    .integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2026, 11, 31) })
    .filter((instant) => Math.abs(instant - backwards) > 3_600_000);
  fc.assert(
    fc.property(moment, (instant) => {
      expect(fromLocalTime(toLocalTime(instant, 'Europe/Berlin'), 'Europe/Berlin')).toBe(instant);
    }),
  );
});
