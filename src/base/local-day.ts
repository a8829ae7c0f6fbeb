import type { Instant } from './terms.ts';

/** Every zone's offset is a multiple of it, so days begin at one. */
const QUARTER_MS = 15 * 60_000;

/** When the calendar day that holds `now` began in the zone (an IANA name), also where a clock was put forward then. */
export function startOfDay(now: Instant, timeZone: string): Instant {
  const dateOf = makeDateOf(timeZone);
  const today = dateOf(now);
  let start = now - (now % QUARTER_MS);
  while (dateOf(start - QUARTER_MS) === today) start -= QUARTER_MS;
  return start;
}

/** The zone's calendar date of an instant, as `2026-11-21`. */
export function makeDateOf(timeZone: string): (instant: Instant) => string {
  const format = new Intl.DateTimeFormat('en-CA', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  });
  return (instant) => format.format(instant);
}
