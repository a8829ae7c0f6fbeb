/** How much is taken in, and what of it first runs out. */

/** Of whom there may be too many messages in a minute; whose limit is named first when several are reached. */
export const RATES = ['user', 'room', 'bot'] as const;
export type Rate = (typeof RATES)[number];

/** Of all conversations. */
export const MOST_WAITING = 10_000;

export type OverloadFacts = {
  /** Another of our bots wrote it: the loop breaker is for those. */
  readonly isOurs: boolean;
  /** It was sent some time ago and found now, perhaps with many others. */
  readonly isLate: boolean;
  readonly isCommand: boolean;
  /** Messages of all conversations. */
  readonly waiting: number;
  /** The buckets that are empty. */
  readonly empty: ReadonlySet<Rate>;
};

/**
 * - `pass`: it is taken, and costs a token of each of these buckets.
 * - `over`: it ends at once, because that bucket is empty.
 * - `full`: it is refused; whoever sent it has to keep it.
 */
export type Overload =
  | { readonly kind: 'pass'; readonly costs: readonly Rate[] }
  | { readonly kind: 'over'; readonly rate: Rate }
  | { readonly kind: 'full' };

/** A command is heard in a flooded room, and when nothing more fits in: it may be what ends the flood. Pure. */
export function decideOverload(facts: OverloadFacts): Overload {
  const { isCommand, isLate, isOurs, waiting, empty } = facts;
  if (!isCommand && waiting >= MOST_WAITING) return { kind: 'full' };
  if (isOurs || isLate) return { kind: 'pass', costs: [] };
  const costs: readonly Rate[] = isCommand ? ['user'] : RATES;
  const rate = costs.find((one) => empty.has(one));
  return rate === undefined ? { kind: 'pass', costs } : { kind: 'over', rate };
}
