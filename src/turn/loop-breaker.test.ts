import { describe, expect, it } from 'vitest';
import { roomId } from '../base/terms.ts';
import { makeLoopBreaker } from './loop-breaker.ts';

const HOUR = 3_600_000;
const room = roomId(1);

describe('the loop breaker', () => {
  it('knows nothing of a room in which no bot started a turn', () => {
    expect(makeLoopBreaker().count(room, 0)).toEqual({ inARow: 0, lastHour: 0 });
  });

  it('counts the turns that bots started, in a row and within the last hour', () => {
    const breaker = makeLoopBreaker();
    for (const now of [0, 1_000, HOUR]) breaker.started(room, true, now);
    expect(breaker.count(room, HOUR - 1)).toMatchObject({ inARow: 3 });
    expect(breaker.count(room, HOUR)).toEqual({ inARow: 3, lastHour: 2 });
    expect(breaker.count(room, HOUR + 1_000)).toEqual({ inARow: 3, lastHour: 1 });
    expect(breaker.count(room, 3 * HOUR)).toEqual({ inARow: 3, lastHour: 0 });
  });

  it('begins anew when a person writes', () => {
    const breaker = makeLoopBreaker();
    breaker.started(room, true, 0);
    breaker.started(room, true, 1);
    breaker.started(room, false, 2);
    expect(breaker.count(room, 3)).toEqual({ inARow: 0, lastHour: 0 });
    breaker.started(room, true, 4);
    expect(breaker.count(room, 5)).toEqual({ inARow: 1, lastHour: 1 });
  });

  it('counts each room for itself', () => {
    const breaker = makeLoopBreaker();
    breaker.started(room, true, 0);
    breaker.started(roomId(2), false, 1);
    expect(breaker.count(room, 2)).toEqual({ inARow: 1, lastHour: 1 });
    expect(breaker.count(roomId(2), 2)).toEqual({ inARow: 0, lastHour: 0 });
  });

  it('remembers at most ten thousand rooms and forgets the quietest first', () => {
    const breaker = makeLoopBreaker();
    for (let id = 0; id < 10_000; id++) breaker.started(roomId(id), true, 0);
    breaker.started(roomId(0), true, 1);
    breaker.started(roomId(10_000), true, 2);
    expect(breaker.count(roomId(1), 3)).toEqual({ inARow: 0, lastHour: 0 });
    expect(breaker.count(roomId(0), 3)).toEqual({ inARow: 2, lastHour: 2 });
    expect(breaker.count(roomId(10_000), 3)).toEqual({ inARow: 1, lastHour: 1 });
  });
});
