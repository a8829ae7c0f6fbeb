import type { Clock } from '../../base/clock.ts';
import { type ConversationKey, type InboxId, type Instant, userId } from '../../base/terms.ts';
import type { Arrivals } from '../../commands/commands.ts';
import type { AcceptOutcome, BuryReason, IncomingMessage } from '../../inbox/inbox.ts';
import type { Database, Tx } from '../database.ts';
import { arrivalLane, isStored, oneAcceptAtATime, storeMessage } from './accept.ts';
import { openOf } from './inbox-rows.ts';
import { addReplies } from './outbox.ts';

/** To whom a compaction is booked: it is nobody's turn. */
const NOBODY = userId('');

export function makeArrivals(database: Database, clock: Clock): Omit<Arrivals, 'accept'> {
  const { read } = database;
  const lane = (message: IncomingMessage) => ({ lane: arrivalLane(message) });
  return {
    ignore(message) {
      return database.write(async (trx) => {
        const end = { state: 'ignored', outcome: 'bot', ended_at: clock.now() } as const;
        return ended('ignored', await storeMessage(trx, message, end));
      }, lane(message));
    },

    acceptUnlessBusy(message, notice) {
      return database.write(async (trx) => {
        await oneAcceptAtATime(trx, message);
        const busyWith = await openOf(trx, message.conversation)
          .select('accepted_at')
          .limit(1)
          .executeTakeFirst();
        if (busyWith === undefined) return ended('accepted', await storeMessage(trx, message, null));
        const isFirst = !(await hasRejected(trx, message.conversation, busyWith));
        const end = { state: 'ignored', outcome: 'rejected', ended_at: clock.now() } as const;
        const stored = await storeMessage(trx, message, end);
        if (stored !== null && isFirst)
          await addReplies(trx, [{ ...notice, inboxId: stored.id }], clock.now());
        return ended('rejected', stored);
      }, lane(message));
    },

    acceptAnswered(message, { dropWaiting, answer }) {
      return database.write(async (trx) => {
        const end = { state: 'settled', outcome: 'notice', ended_at: clock.now() } as const;
        const stored = await storeMessage(trx, message, end);
        if (stored === null) return { kind: 'duplicate' };
        const dropped = dropWaiting ? await buryWaiting(trx, message.conversation, clock.now()) : 0;
        await addReplies(trx, [{ ...answer(dropped), inboxId: stored.id }], clock.now());
        return { kind: 'answered', ...stored };
      }, lane(message));
    },

    isStored: (message) => isStored(read, message),

    async lastAuthor(conversation) {
      const running = await read
        .selectFrom('inbox')
        .select('user_id')
        .where('conversation', '=', conversation)
        .where('ended_at', 'is', null)
        .where('state', '=', 'running')
        .limit(1)
        .executeTakeFirst();
      if (running !== undefined) return running.user_id;
      const last = await read
        .selectFrom('ledger')
        .select('user_id')
        .where('conversation', '=', conversation)
        .where('user_id', '!=', NOBODY)
        .orderBy('at', 'desc')
        .limit(1)
        .executeTakeFirst();
      return last?.user_id ?? null;
    },
  };
}

function ended(
  kind: 'accepted' | 'ignored' | 'rejected',
  stored: Awaited<ReturnType<typeof storeMessage>>,
): AcceptOutcome {
  return stored === null ? { kind: 'duplicate' } : { kind, ...stored };
}

/** Whether somebody was turned away since the message that keeps the conversation busy came. */
async function hasRejected(
  trx: Tx,
  conversation: ConversationKey,
  busyWith: { readonly id: InboxId; readonly accepted_at: Instant },
): Promise<boolean> {
  const row = await trx
    .selectFrom('inbox')
    .select('id')
    .where('conversation', '=', conversation)
    .where('ended_at', '>=', busyWith.accepted_at)
    .where('id', '>', busyWith.id)
    .where('outcome', '=', 'rejected')
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Only what waits: what runs is settled by its turn. How many there were. */
async function buryWaiting(trx: Tx, conversation: ConversationKey, now: Instant): Promise<number> {
  const stopped: BuryReason = 'stopped';
  const buried = await trx
    .updateTable('inbox')
    .set({ state: 'buried', outcome: stopped, ended_at: now })
    .where('conversation', '=', conversation)
    .where('ended_at', 'is', null)
    .where('state', '=', 'waiting')
    .returning('id')
    .execute();
  return buried.length;
}
