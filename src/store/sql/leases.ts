import type { Clock } from '../../base/clock.ts';
import type { ConversationKey, Fence, Instant, Lease } from '../../base/terms.ts';
import type { Leases } from '../../cluster/cluster.ts';
import { CommitUnknown, type Database, type Tx } from '../database.ts';
import { hasDue } from './inbox-rows.ts';

const FIRST_FENCE = 1 as Fence;

export function makeLeases(
  database: Database,
  clock: Clock,
  { holder, leaseMs }: { readonly holder: string; readonly leaseMs: number },
): Leases {
  /** A lease that was perhaps taken has no holder who knows it: without this it would stand until it expires. */
  async function giveUp(conversation: ConversationKey, expiresAt: Instant): Promise<void> {
    await database.write((trx) => giveUpLease(trx, { conversation, holder, expiresAt }), {
      patience: 'long',
    });
  }

  return {
    async acquire(conversation) {
      const expiresAt = clock.now() + leaseMs;
      const wanted = { conversation, holder, expiresAt };
      const taking = database.write((trx) => takeLease(trx, wanted, { freeAt: clock.now() }));
      return taking.catch(async (error) => {
        if (error instanceof CommitUnknown) await giveUp(conversation, expiresAt);
        throw error;
      });
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
      const wanted = { conversation, holder, expiresAt: clock.now() + leaseMs };
      const taken = await database.write((trx) => takeLease(trx, wanted, 'whoever holds it'));
      if (taken === null) throw new Error('a lease that is taken from anybody is always taken');
      return taken;
    },
  };
}

type WantedLease = {
  readonly conversation: ConversationKey;
  readonly holder: string;
  readonly expiresAt: Instant;
};

/** The next fence, or null while the lease is held; one statement decides alone, so that two takers never both win. */
export async function takeLease(
  trx: Tx,
  { conversation, holder, expiresAt: expires_at }: WantedLease,
  from: { readonly freeAt: Instant } | 'whoever holds it',
): Promise<Lease | null> {
  const taken = await trx
    .insertInto('leases')
    .values({ conversation, fence: FIRST_FENCE, holder, expires_at })
    .onConflict((conflict) => {
      const update = conflict
        .column('conversation')
        .doUpdateSet(({ eb }) => ({ fence: eb('leases.fence', '+', FIRST_FENCE), holder, expires_at }));
      return from === 'whoever holds it' ? update : update.where('leases.expires_at', '<=', from.freeAt);
    })
    .returning(['fence', 'expires_at'])
    .executeTakeFirst();
  return taken === undefined ? null : { conversation, fence: taken.fence, expiresAt: taken.expires_at };
}

/** Ends a lease that was taken just so, if it was. */
export async function giveUpLease(trx: Tx, { conversation, holder, expiresAt }: WantedLease): Promise<void> {
  await trx
    .updateTable('leases')
    .set({ holder: null, expires_at: 0 })
    .where('conversation', '=', conversation)
    .where('holder', '=', holder)
    .where('expires_at', '=', expiresAt)
    .execute();
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
