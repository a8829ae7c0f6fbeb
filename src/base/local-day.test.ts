import { expect, test } from 'vitest';
import { makeDateOf, startOfDay } from './local-day.ts';

test.each([
  ['2026-11-21T03:40:12Z', 'UTC', '2026-11-21T00:00:00Z'],
  ['2026-11-21T00:00:00Z', 'UTC', '2026-11-21T00:00:00Z'],
  ['2026-11-20T23:59:59.999Z', 'UTC', '2026-11-20T00:00:00Z'],
  ['2026-11-21T03:40:00Z', 'America/New_York', '2026-11-20T05:00:00Z'],
  ['2026-11-21T03:40:00Z', 'Asia/Kathmandu', '2026-11-20T18:15:00Z'],
  // The clock goes back at night: the day has 25 hours.
  ['2026-10-25T22:30:00Z', 'Europe/Berlin', '2026-10-24T22:00:00Z'],
  // It goes forward at midnight: the day begins at one.
  ['2026-04-24T12:00:00Z', 'Africa/Cairo', '2026-04-23T22:00:00Z'],
])('the day of %s in %s began at %s', (now, zone, start) => {
  expect(startOfDay(Date.parse(now), zone)).toBe(Date.parse(start));
});

test('a date is written as its zone has it', () => {
  expect(makeDateOf('Asia/Tokyo')(Date.parse('2026-11-20T15:00:00Z'))).toBe('2026-11-21');
});
