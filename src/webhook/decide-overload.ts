/** How much is taken in, and what of it first runs out. */

export const MOST_A_MINUTE = { user: 30, room: 60, bot: 300 } as const;
export type Rate = keyof typeof MOST_A_MINUTE;
/** In the order in which they are named to whoever looks for what ran out. */
export const RATES: readonly Rate[] = ['user', 'room', 'bot'];

/** Messages of one conversation that wait for their turn. */
export const MOST_WAITING_IN_CONVERSATION = 20;
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
