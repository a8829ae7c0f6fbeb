import type { TurnRecord } from '../../src/turn/turn.ts';

/** A turn as the queue saw it, in one clock's milliseconds. */
type Span = {
  readonly conversation: string;
  readonly acceptedAt: number;
  readonly begunAt: number;
  readonly endedAt: number;
};

/**
 * How long each message waited although nothing had to keep it: after its acceptance and after the end of its own
 * room's earlier turn, while fewer than `places` turns ran.
 */
export function freePlaceWaits(records: readonly TurnRecord[], places: number): readonly number[] {
  const spans = records.map(toSpan).toSorted((a, b) => a.begunAt - b.begunAt);
  return spans.map((span) => {
    const earlier = spans.filter(
      (other) => other.conversation === span.conversation && other.begunAt < span.begunAt,
    );
    const ready = Math.max(span.acceptedAt, ...earlier.map(({ endedAt }) => endedAt));
    return timeWithPlace(spans, ready, span.begunAt, places);
  });
}

function toSpan(record: TurnRecord): Span {
  const begunAt = record.endedAt - record.answeredMs - record.openedMs;
  const { conversation, endedAt } = record;
  return { conversation, acceptedAt: begunAt - record.waitedMs, begunAt, endedAt };
}

/** The part of an interval in which fewer than `places` turns ran. */
function timeWithPlace(spans: readonly Span[], from: number, to: number, places: number): number {
  const edges = spans
    .flatMap(({ begunAt, endedAt }) => [begunAt, endedAt])
    .filter((at) => at > from && at < to)
    .toSorted((a, b) => a - b);
  const points = [from, ...edges, to];
  let free = 0;
  for (const [index, at] of points.entries()) {
    const next = points[index + 1];
    if (next === undefined || next <= at) continue;
    const running = spans.filter(({ begunAt, endedAt }) => begunAt <= at && endedAt >= next).length;
    if (running < places) free += next - at;
  }
  return free;
}
