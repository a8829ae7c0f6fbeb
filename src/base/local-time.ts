import type { Instant } from './terms.ts';

/** As Python's `datetime.now().isoformat()` writes it: local time without its zone, microseconds unless they are zero. */
export function toLocalTime(instant: Instant, timeZone: string): string {
  const local = new Date(instant + offsetAt(instant, timeZone)).toISOString();
  const [seconds = '', fraction = ''] = local.slice(0, -1).split('.');
  return fraction === '000' ? seconds : `${seconds}.${fraction}000`;
}

/**
 * Reads such a text, to the millisecond; null when it is none, or no real date. A zone at its end is obeyed. An hour
 * that a clock passes twice is taken for one of the two.
 */
export function fromLocalTime(text: string, timeZone: string): Instant | null {
  const [, local, zone] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)(Z|[+-]\d\d:\d\d)?$/.exec(text) ?? [];
  if (local === undefined) return null;
  const asUtc = Date.parse(`${local}Z`);
  if (Number.isNaN(asUtc) || new Date(asUtc).toISOString().slice(0, 19) !== local.slice(0, 19)) return null;
  if (zone !== undefined) return Date.parse(text);
  const guess = asUtc - offsetAt(asUtc, timeZone);
  return asUtc - offsetAt(guess, timeZone);
}

/** How far the zone's clocks are ahead of UTC at that moment, in milliseconds. */
function offsetAt(instant: Instant, timeZone: string): number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  const local = Date.UTC(
    part('year'),
    part('month') - 1,
    part('day'),
    part('hour'),
    part('minute'),
    part('second'),
  );
  return local - (instant - (((instant % 1_000) + 1_000) % 1_000));
}
