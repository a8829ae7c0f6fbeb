import type { Instant } from '../base/terms.ts';

export type StuckFacts = {
  readonly now: Instant;
  /** When the prompt was sent. */
  readonly startedAt: Instant;
  /** When the agent was last heard of (any event). */
  readonly heardAt: Instant;
  readonly toolsRunning: number;
  readonly turnTimeoutMs: number;
  readonly stuckAfterMs: number;
};

/** Whether a running turn must be interrupted: over its limit, or silent although no tool runs. */
export function decideStuck(facts: StuckFacts): 'turn-timeout' | 'silent' | null {
  if (facts.now - facts.startedAt >= facts.turnTimeoutMs) return 'turn-timeout';
  if (facts.toolsRunning === 0 && facts.now - facts.heardAt >= facts.stuckAfterMs) return 'silent';
  return null;
}

/** When to look again: the earliest instant at which `decideStuck` can say something else, if nothing is heard. */
export function nextLook(facts: StuckFacts): Instant {
  const timeout = facts.startedAt + facts.turnTimeoutMs;
  return facts.toolsRunning === 0 ? Math.min(timeout, facts.heardAt + facts.stuckAfterMs) : timeout;
}
