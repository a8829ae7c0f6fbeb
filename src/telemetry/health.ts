import { type Clock, within } from '../base/clock.ts';
import type { Instant } from '../base/terms.ts';

export type Health = {
  readonly version: string;
  readonly now: Instant;
  readonly uptimeMs: number;
};

export type Readiness = { readonly ready: boolean; readonly reasons: readonly string[] };

/** Null when all is well, else the reason in words that anybody may read: no address, no secret. */
export type ReadinessCheck = () => Promise<string | null>;

/** Each check's share of a probe's patience. */
const CHECK_LIMIT_MS = 2_000;
/** `/ready` is open to everybody: however often it is asked, the checks run once in this time. */
const KEEP_MS = 1_000;

export type HealthReport = {
  /** Touches nothing. */
  health(): Health;
  /** Asks every check, at once; one that fails or does not answer is a reason too. */
  readiness(): Promise<Readiness>;
};

/** `checks` by what they look at: the name stands in the reason of a check that says nothing itself. */
export function makeHealth(deps: {
  readonly version: string;
  readonly clock: Clock;
  readonly checks: Readonly<Record<string, ReadinessCheck>>;
}): HealthReport {
  const { version, clock, checks } = deps;
  const startedAt = clock.now();
  let last: { readonly askedAt: Instant; readonly answer: Promise<Readiness> } | null = null;

  async function askAll(): Promise<Readiness> {
    const answers = await Promise.all(Object.entries(checks).map(([name, check]) => ask(name, check)));
    const reasons = answers.filter((reason) => reason !== null);
    return { ready: reasons.length === 0, reasons };
  }

  async function ask(name: string, check: ReadinessCheck): Promise<string | null> {
    try {
      const answer = await within(clock, CHECK_LIMIT_MS, check());
      return answer === 'timed-out' ? `${name} does not answer` : answer;
    } catch {
      // The error may name an address; who checks its own part logs it.
      return `${name} fails`;
    }
  }

  return {
    health: () => ({ version, now: clock.now(), uptimeMs: clock.now() - startedAt }),
    readiness() {
      const now = clock.now();
      if (last === null || now - last.askedAt >= KEEP_MS) last = { askedAt: now, answer: askAll() };
      return last.answer;
    },
  };
}
