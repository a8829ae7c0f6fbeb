import { describe, expect, it } from 'vitest';
import { makeFakeClock } from '../../test/fixtures/fake-clock.ts';
import { systemClock, within } from './clock.ts';

describe('within', () => {
  it('gives the value of a promise that is in time, and leaves no timer behind', async () => {
    const clock = makeFakeClock();
    expect(await within(clock, 1_000, Promise.resolve('in time'))).toBe('in time');
    expect(clock.pending()).toBe(0);
  });

  it('rejects as the promise does, and leaves no timer behind', async () => {
    const clock = makeFakeClock();
    await expect(within(clock, 1_000, Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    expect(clock.pending()).toBe(0);
  });

  it('says timed-out at the limit and not before', async () => {
    const clock = makeFakeClock();
    const outcomes: string[] = [];
    const waited = within(clock, 1_000, new Promise<string>(() => {})).then((outcome) =>
      outcomes.push(outcome),
    );
    await clock.advance(999);
    expect(outcomes).toEqual([]);
    await clock.advance(1);
    await waited;
    expect(outcomes).toEqual(['timed-out']);
    expect(clock.pending()).toBe(0);
  });

  it('swallows a rejection that comes after the limit, because nobody waits for it any more', async () => {
    const clock = makeFakeClock();
    const slow = Promise.withResolvers<string>();
    const waited = within(clock, 10, slow.promise);
    await clock.advance(10);
    expect(await waited).toBe('timed-out');
    // An unhandled rejection would fail the run.
    slow.reject(new Error('too late'));
    await clock.advance(0);
  });
});

describe('systemClock', () => {
  it('sleeps no longer than its signal allows', async () => {
    const aborted = new AbortController();
    aborted.abort();
    await systemClock.sleep(3_600_000, aborted.signal);

    const abort = new AbortController();
    const slept = systemClock.sleep(3_600_000, abort.signal);
    abort.abort();
    await slept;
  });

  it('runs a timer once its delay is over, and never after it was cancelled', async () => {
    const cancel = systemClock.after(0, () => expect.unreachable());
    const cancelEvery = systemClock.every(1, () => expect.unreachable());
    cancel();
    cancelEvery();
    cancel();
    // Both would have been due by the end of this one.
    await systemClock.sleep(2);
    await new Promise<void>((resolve) => systemClock.after(0, resolve));
  });
});
