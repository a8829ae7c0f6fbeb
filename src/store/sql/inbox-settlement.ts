import type { Clock } from '../../base/clock.ts';
import type { ConversationKey, Instant, Lease } from '../../base/terms.ts';
import type { BuryReason, InboxSettlement } from '../../inbox/inbox.ts';
import type { Tx } from '../database.ts';
import { assertAll, endMessages, openAmong, wholeMs } from './inbox-rows.ts';

/** The inbox inside a turn's transaction, whose fence is checked already. */
export function makeInboxSettlement(trx: Tx, lease: Lease, clock: Clock): InboxSettlement {
  return {
    settle: (settled, outcome) =>
      endMessages(trx, lease, settled, { state: 'settled', outcome, ended_at: clock.now() }),

    async giveBack(given, { notBefore, countAttempt }) {
      if (given.length === 0) return;
      const rows = await openAmong(trx, lease, given)
        .set(({ eb }) => ({
          state: 'waiting',
          not_before: notBefore === null ? null : wholeMs(notBefore),
          attempts: countAttempt ? eb.ref('attempts') : eb('attempts', '-', 1),
        }))
        .where('state', '=', 'running')
        .returning('id')
        .execute();
      assertAll(given, rows, lease);
    },

    bury: (buried, reason) =>
      endMessages(trx, lease, buried, { state: 'buried', outcome: reason, ended_at: clock.now() }),
  };
}

/** Ends every unfinished message of a forgotten conversation and blanks the text of all of them. */
export async function forgetMessages(trx: Tx, conversation: ConversationKey, now: Instant): Promise<number> {
  const stopped: BuryReason = 'stopped';
  const ended = await trx
    .updateTable('inbox')
    .set({ state: 'buried', outcome: stopped, ended_at: now })
    .where('conversation', '=', conversation)
    .where('ended_at', 'is', null)
    .returning('id')
    .execute();
  await trx
    .updateTable('inbox')
    .set({ text: '' })
    .where('conversation', '=', conversation)
    .where('text', '!=', '')
    .execute();
  return ended.length;
}
