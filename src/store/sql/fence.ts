import { LeaseLost } from '../../base/errors.ts';
import type { Lease } from '../../base/terms.ts';
import type { Tx } from '../database.ts';

/**
 * Throws `LeaseLost` unless the lease is still this holder's. Inside the transaction of the write that it guards, so
 * that nobody can take the lease between the look and the write. A lease past its expiry is good until it is taken.
 */
export async function checkFence(
  trx: Tx,
  lease: Pick<Lease, 'conversation' | 'fence'>,
  holder: string,
): Promise<void> {
  const held = await trx
    .selectFrom('leases')
    .select('fence')
    .where('conversation', '=', lease.conversation)
    .where('fence', '=', lease.fence)
    .where('holder', '=', holder)
    .executeTakeFirst();
  if (held === undefined) throw new LeaseLost(lease);
}
