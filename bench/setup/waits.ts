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
 * room's earlier turn, while other rooms held fewer than `places` places. A room holds its place from its first turn to
 * the end of the last one whose message waited by then: its turns follow each other on one process.
 */
export function freePlaceWaits(records: readonly TurnRecord[], places: number): readonly number[] {
  const spans = records.map(toSpan).toSorted((a, b) => a.begunAt - b.begunAt);
  const holds = toHolds(spans);
  return spans.map((span) => {
    const earlier = spans.filter(
      (other) => other.conversation === span.conversation && other.begunAt < span.begunAt,
    );
    const ready = Math.max(span.acceptedAt, ...earlier.map(({ endedAt }) => endedAt));
    const others = holds.filter(({ conversation }) => conversation !== span.conversation);
    return timeWithPlace(others, ready, span.begunAt, places);
  });
}

function toSpan(record: TurnRecord): Span {
  const begunAt = record.endedAt - record.answeredMs - record.openedMs;
  const { conversation, endedAt } = record;
  return { conversation, acceptedAt: begunAt - record.waitedMs, begunAt, endedAt };
}

/** Turns of one room that follow each other, as one span; `spans` by their beginning. */
function toHolds(spans: readonly Span[]): readonly Span[] {
  const holds: Span[] = [];
  for (const span of spans) {
    const at = holds.findLastIndex(({ conversation }) => conversation === span.conversation);
    const last = holds[at];
    if (last === undefined || span.acceptedAt > last.endedAt) holds.push(span);
    else holds[at] = { ...last, endedAt: span.endedAt };
  }
  return holds;
}

/** The part of an interval in which fewer than `places` places were held. */
function timeWithPlace(holds: readonly Span[], from: number, to: number, places: number): number {
  const edges = holds
    .flatMap(({ begunAt, endedAt }) => [begunAt, endedAt])
    .filter((at) => at > from && at < to)
    .toSorted((a, b) => a - b);
  const points = [from, ...edges, to];
  let free = 0;
  for (const [index, at] of points.entries()) {
    const next = points[index + 1];
    if (next === undefined || next <= at) continue;
    const held = holds.filter(({ begunAt, endedAt }) => begunAt <= at && endedAt >= next).length;
    if (held < places) free += next - at;
  }
  return free;
}
