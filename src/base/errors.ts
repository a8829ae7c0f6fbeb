import type { Lease } from './terms.ts';

/** The lease was taken over or given up: nothing that its holder did since may be written. */
export class LeaseLost extends Error {
  constructor(lease: Pick<Lease, 'conversation' | 'fence'>) {
    super(`lease of ${lease.conversation} with fence ${lease.fence} is no longer held`);
    this.name = 'LeaseLost';
  }
}

/** The end of an exhaustive `switch`: fails to compile when a case is missing, throws when types lied. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

/** Anything thrown, as an Error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
