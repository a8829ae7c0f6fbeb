import type { Clock } from '../../base/clock.ts';
import type { ConversationKey, Fence, Instant } from '../../base/terms.ts';
import type { Leases } from '../../cluster/cluster.ts';
import { CommitUnknown, type Database, type Tx } from '../database.ts';
import { hasDue } from './inbox-rows.ts';

const FIRST_FENCE = 1 as Fence;

export function makeLeases(
  database: Database,
  clock: Clock,
  { holder, leaseMs }: { readonly holder: string; readonly leaseMs: number },
): Leases {
  /** The conversation's row with its next fence; the statement decides alone, so that two takers never both win. */
  function take(trx: Tx, conversation: ConversationKey, from: 'anybody' | 'nobody', expires_at: Instant) {
    return trx
      .insertInto('leases')
      .values({ conversation, fence: FIRST_FENCE, holder, expires_at })
      .onConflict((conflict) => {
        const taken = conflict
          .column('conversation')
          .doUpdateSet(({ eb }) => ({ fence: eb('leases.fence', '+', FIRST_FENCE), holder, expires_at }));
        return from === 'anybody' ? taken : taken.where('leases.expires_at', '<=', clock.now());
      })
      .returning(['fence', 'expires_at'])
      .executeTakeFirst();
  }

  /** A lease that was perhaps taken has no holder who knows it: without this it would stand until it expires. */
  async function giveUp(conversation: ConversationKey, expiresAt: Instant): Promise<void> {
    const givingUp = (trx: Tx) =>
      trx
        .updateTable('leases')
        .set({ holder: null, expires_at: 0 })
        .where('conversation', '=', conversation)
        .where('holder', '=', holder)
        .where('expires_at', '=', expiresAt)
        .execute();
    await database.write(givingUp, { patience: 'long' });
  }

  return {
    async acquire(conversation) {
      const expiresAt = clock.now() + leaseMs;
      const taking = database.write((trx) => take(trx, conversation, 'nobody', expiresAt));
      const taken = await taking.catch(async (error) => {
        if (error instanceof CommitUnknown) await giveUp(conversation, expiresAt);
        throw error;
      });
      return taken === undefined ? null : { conversation, fence: taken.fence, expiresAt: taken.expires_at };
    },

    async renew(lease) {
      const expiresAt = clock.now() + leaseMs;
      const renewing = (trx: Tx) =>
        trx
          .updateTable('leases')
          .set({ expires_at: expiresAt })
          .where('conversation', '=', lease.conversation)
          .where('fence', '=', lease.fence)
          .where('holder', '=', holder)
          .returning('fence')
          .executeTakeFirst();
      const renewed = await database.write(renewing, { patience: 'long' });
      return renewed === undefined ? null : { ...lease, expiresAt };
    },

    release(lease) {
      const releasing = async (trx: Tx) => {
        const released = await trx
          .updateTable('leases')
          .set({ holder: null, expires_at: 0 })
          .where('conversation', '=', lease.conversation)
          .where('fence', '=', lease.fence)
          .where('holder', '=', holder)
          .returning('fence')
          .executeTakeFirst();
        // Whoever took it over looks into the inbox when it releases.
        return { more: released !== undefined && (await hasDue(trx, lease.conversation, clock.now())) };
      };
      const release = () => database.write(releasing, { patience: 'long' });
      // Else the conversation stands still until the lease expires. Once released, the poll finds what waits.
      return release().catch((error) => {
        if (error instanceof CommitUnknown) return release();
        throw error;
      });
    },

    async seize(conversation) {
      const taken = await database.write((trx) => take(trx, conversation, 'anybody', clock.now() + leaseMs));
      if (taken === undefined) throw new Error('a lease that is taken from anybody is always taken');
      return { conversation, fence: taken.fence, expiresAt: taken.expires_at };
    },
  };
}

/** Ends every lease; how many were held. Only for the one server of a database, before it takes its first. */
export async function endAllLeases(trx: Tx): Promise<number> {
  const ended = await trx
    .updateTable('leases')
    .set({ holder: null, expires_at: 0 })
    .where('holder', 'is not', null)
    .returning('conversation')
    .execute();
  return ended.length;
}
