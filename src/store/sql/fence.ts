import { LeaseLost } from '../../base/errors.ts';
import type { Lease } from '../../base/terms.ts';
import type { Tx } from '../database.ts';
import { lockRows } from './locks.ts';

/**
 * Throws `LeaseLost` unless the lease is still this holder's. First in the transaction of the write that it guards: its
 * row stays locked to the end, so nobody can take the lease between the look and the write, and the fenced writes of a
 * conversation never run side by side. A lease past its expiry is good until it is taken.
 */
export async function checkFence(
  trx: Tx,
  lease: Pick<Lease, 'conversation' | 'fence'>,
  holder: string,
): Promise<void> {
  const ours = trx
    .selectFrom('leases')
    .select('fence')
    .where('conversation', '=', lease.conversation)
    .where('fence', '=', lease.fence)
    .where('holder', '=', holder);
  const held = await lockRows(trx, ours, 'wait').executeTakeFirst();
  if (held === undefined) throw new LeaseLost(lease);
}
