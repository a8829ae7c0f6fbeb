import type { Instant } from './terms.ts';

/** Stops a timer; calling it twice, or late, does nothing. */
export type Cancel = () => void;

/** The only source of time and the only place with timers; tests pass `makeFakeClock` (test/fixtures). */
export type Clock = {
  now(): Instant;
  /** Runs `work` once after `delayMs`. A pending timer never keeps the process alive. */
  after(delayMs: number, work: () => void): Cancel;
  /** Runs `work` every `periodMs`, first after one period. Never keeps the process alive. */
  every(periodMs: number, work: () => void): Cancel;
  /** Resolves after `delayMs`, or at once when `signal` aborts. Keeps the process alive: somebody waits for it. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
};

export const systemClock: Clock = {
  now: () => Date.now(),

  after(delayMs, work) {
    const timer = setTimeout(work, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },

  every(periodMs, work) {
    const timer = setInterval(work, periodMs);
    timer.unref();
    return () => clearInterval(timer);
  },

  sleep(delayMs, signal) {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(finish, delayMs);
      signal?.addEventListener('abort', finish, { once: true });
      function finish(): void {
        clearTimeout(timer);
        signal?.removeEventListener('abort', finish);
        resolve();
      }
    });
  },
};

/**
 * The promise's value, or `'timed-out'` after `limitMs`. The promise itself goes on: whoever made it owns it,
 * and a rejection that comes after the limit is swallowed here because nobody waits for it any more.
 */
export async function within<Value>(
  clock: Clock,
  limitMs: number,
  promise: Promise<Value>,
): Promise<Value | 'timed-out'> {
  let cancel: Cancel = () => {};
  const limit = new Promise<'timed-out'>((resolve) => {
    cancel = clock.after(limitMs, () => resolve('timed-out'));
  });
  promise.catch(() => {});
  try {
    return await Promise.race([promise, limit]);
  } finally {
    cancel();
  }
}
