import { sql } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import type { Instant } from '../../base/terms.ts';
import type { IncomingMessage } from '../../inbox/inbox.ts';
import type { Overflow } from '../../webhook/webhook.ts';
import type { Database, Tx } from '../database.ts';
import { arrivalLane, oneAcceptAtATime, storeMessage } from './accept.ts';
import { addReplies } from './outbox.ts';

export function makeOverflow(database: Database, clock: Clock): Overflow {
  return {
    acceptUnlessFull(message, { mostWaiting, notice, noticedSince }) {
      return database.write(
        async (trx) => {
          await oneAcceptAtATime(trx, message);
          if (!(await isFull(trx, message, mostWaiting))) {
            const stored = await storeMessage(trx, message, null);
            return stored === null ? { kind: 'duplicate' } : { kind: 'accepted', ...stored };
          }
          const end = { state: 'settled', outcome: 'notice', ended_at: clock.now() } as const;
          const stored = await storeMessage(trx, message, end);
          if (stored === null) return { kind: 'duplicate' };
          if (notice !== null && !(await wasNoticed(trx, message, noticedSince))) {
            const { conversation, chat, roomId, botId } = message;
            const lane = { conversation, chat, roomId, botId, inboxId: stored.id };
            await addReplies(trx, [{ ...lane, kind: 'overloaded', markdown: notice }], clock.now());
          }
          return { kind: 'overloaded', ...stored };
        },
        { lane: arrivalLane(message) },
      );
    },
  };
}

/** Reads no more rows than the limit, however many wait. */
async function isFull(
  trx: Tx,
  { conversation }: IncomingMessage,
  mostWaiting: number | null,
): Promise<boolean> {
  if (mostWaiting === null) return false;
  if (mostWaiting === 0) return true;
  const waiting = await trx
    .selectFrom('inbox')
    .select('id')
    .where('conversation', '=', conversation)
    .where('ended_at', 'is', null)
    .where('state', '=', 'waiting')
    .limit(mostWaiting)
    .execute();
  return waiting.length >= mostWaiting;
}

async function wasNoticed(trx: Tx, { chat, roomId }: IncomingMessage, since: Instant): Promise<boolean> {
  const row = await trx
    .selectFrom('outbox')
    .select('id')
    // As the index says it: of a parameter nobody knows that it fits.
    .where(sql<boolean>`kind = 'overloaded'`)
    .where('chat', '=', chat)
    .where('room_id', '=', roomId)
    .where('created_at', '>', since)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
