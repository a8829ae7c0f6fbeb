import type { ConversationKey, Instant } from '../base/terms.ts';

/**
 * The primary endpoint's circuit:
 *
 *   closed ──3 failures within a minute──▶ open ──after a minute──▶ half-open ──probe answered──▶ closed
 *                                           ▲                          │
 *                                           └──────── probe failed ────┘
 */
export type Circuit =
  | { readonly state: 'closed'; readonly failures: readonly Instant[] }
  | { readonly state: 'open'; readonly until: Instant }
  /** One conversation's turn tries the primary, however often it is planned; the others stay away until it has ended. */
  | { readonly state: 'half-open'; readonly prober: ConversationKey; readonly probeUntil: Instant };

export const CLOSED: Circuit = { state: 'closed', failures: [] };

const MOST_FAILURES = 3;
const WITHIN_MS = 60_000;
const OPEN_MS = 60_000;
/** A probe that has not ended after this long counts as none. */
const PROBE_MS = 300_000;

/** Which endpoint a conversation's next turn uses, and the circuit from then on. Pure. */
export function decideEndpoint(facts: {
  readonly conversation: ConversationKey;
  readonly circuit: Circuit;
  readonly now: Instant;
  /** Until when this conversation stays with the fallback since the primary failed it; null: it did not. */
  readonly movedUntil: Instant | null;
}): { readonly endpoint: 'primary' | 'fallback'; readonly circuit: Circuit } {
  const { circuit, conversation: prober, now } = facts;
  if (facts.movedUntil !== null && now < facts.movedUntil) return { endpoint: 'fallback', circuit };
  if (circuit.state === 'closed') return { endpoint: 'primary', circuit };
  if (circuit.state === 'half-open' && circuit.prober === prober) return { endpoint: 'primary', circuit };
  const busyUntil = circuit.state === 'open' ? circuit.until : circuit.probeUntil;
  if (now < busyUntil) return { endpoint: 'fallback', circuit };
  return { endpoint: 'primary', circuit: { state: 'half-open', prober, probeUntil: now + PROBE_MS } };
}

/** The circuit after a turn on the primary has ended. Pure. */
export function afterTurn(circuit: Circuit, answered: boolean, now: Instant): Circuit {
  if (answered) return CLOSED;
  if (circuit.state !== 'closed') return { state: 'open', until: now + OPEN_MS };
  const failures = [...circuit.failures, now].filter((at) => now - at < WITHIN_MS);
  return failures.length >= MOST_FAILURES
    ? { state: 'open', until: now + OPEN_MS }
    : { state: 'closed', failures };
}
