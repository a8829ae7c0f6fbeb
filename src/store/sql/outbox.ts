import { type Selectable, sql } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import { unreachable } from '../../base/errors.ts';
import type { ConversationKey, Instant } from '../../base/terms.ts';
import {
  type Lane,
  laneOf,
  type NewReply,
  type Outbox,
  type OutboxRow,
  type SendResult,
} from '../../outbox/outbox.ts';
import type { Database, Tx } from '../database.ts';
import type { Schema } from '../schema.ts';
import { wholeMs } from './inbox-rows.ts';
import { lockRows } from './locks.ts';

type Row = Selectable<Schema['outbox']>;

/** Sent rows of a lane that reading back compares with: more than could have been posted since the last known one. */
const MOST_SENT_IDS = 200;

export function makeOutbox(database: Database, clock: Clock): Outbox {
  const { read } = database;
  return {
    add: (replies) => database.write((trx) => addReplies(trx, replies, clock.now())),

    claim(now, busy, limit) {
      return database.write(async (trx) => {
        // Each busy lane has one head at most: so many more have to be read to find `limit` others.
        const heads = await selectDueHeads(trx, now, limit + busy.size);
        const free = heads.filter((row) => !busy.has(laneOf(toOutboxRow(row)))).slice(0, limit);
        const claimed: OutboxRow[] = [];
        for (const row of free) claimed.push(await claimRow(trx, row, now));
        return claimed;
      });
    },

    finish(id, result) {
      return database.write(async (trx) => {
        const finished = await trx
          .updateTable('outbox')
          .set(({ eb }) => ({
            ...changeOf(result, clock.now()),
            ...(isEnd(result)
              ? {
                  markdown: eb
                    .case()
                    .when('forgotten_at', 'is', null)
                    .then(eb.ref('markdown'))
                    .else('')
                    .end(),
                }
              : {}),
          }))
          .where('id', '=', id)
          .where('ended_at', 'is', null)
          .returning('id')
          .execute();
        if (finished.length === 0 && !(await endedLike(trx, id, result)))
          throw new Error(`reply ${id} has ended already`);
      });
    },

    async sentIds({ chat, roomId, botId }) {
      const sent = await read
        .selectFrom('outbox')
        .select('platform_id')
        .where('chat', '=', chat)
        .where('room_id', '=', roomId)
        .where('bot_id', '=', botId)
        .where('platform_id', 'is not', null)
        .orderBy('id', 'desc')
        .limit(MOST_SENT_IDS)
        .execute();
      const platformIds = sent.flatMap((row) => row.platform_id ?? []);
      return { ids: new Set(platformIds), newest: platformIds[0] ?? null };
    },

    async counts() {
      const open = await read
        .selectFrom('outbox')
        .select(({ fn }) => [
          'state',
          fn.countAll<number>().as('count'),
          fn.min<Instant>('created_at').as('oldest'),
        ])
        .where('ended_at', 'is', null)
        .groupBy('state')
        .execute();
      const buried = await read
        .selectFrom('outbox')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        // As a literal: with a bound value SQLite cannot know that the index of buried rows will do.
        .where('state', '=', sql.lit('buried'))
        .executeTakeFirstOrThrow();
      const count = (state: Row['state']): number => open.find((group) => group.state === state)?.count ?? 0;
      return {
        owed: count('owed') + count('sending'),
        unknown: count('unknown'),
        buried: buried.count,
        oldestOwedAt: open.length === 0 ? null : Math.min(...open.map((group) => group.oldest)),
      };
    },
  };
}

/** Rows of one transaction keep the order in which they were given: their ids grow in it. */
export async function addReplies(trx: Tx, replies: readonly NewReply[], now: Instant): Promise<void> {
  if (replies.length === 0) return;
  await trx
    .insertInto('outbox')
    .values(
      replies.map((reply) => ({
        conversation: reply.conversation,
        chat: reply.chat,
        room_id: reply.roomId,
        bot_id: reply.botId,
        inbox_id: reply.inboxId,
        kind: reply.kind,
        markdown: reply.markdown,
        state: 'owed' as const,
        attempts: 0,
        may_be_double: 0,
        created_at: now,
      })),
    )
    .execute();
}

/** Blanks what the conversation's bot said; what is still owed is sent first and blanked when it ends. */
export async function forgetReplies(trx: Tx, conversation: ConversationKey, now: Instant): Promise<void> {
  await trx
    .updateTable('outbox')
    .set({ forgotten_at: now })
    .where('conversation', '=', conversation)
    .where('ended_at', 'is', null)
    .execute();
  await trx
    .updateTable('outbox')
    .set({ markdown: '' })
    .where('conversation', '=', conversation)
    .where('ended_at', 'is not', null)
    .where('markdown', '!=', '')
    .execute();
}

/** The oldest unfinished row of each lane, where that one is due: nothing overtakes it. */
function selectDueHeads(trx: Tx, now: Instant, limit: number): Promise<Row[]> {
  const heads = trx
    .selectFrom('outbox as head')
    .selectAll('head')
    .where('head.ended_at', 'is', null)
    .where(({ eb, or }) => or([eb('head.not_before', 'is', null), eb('head.not_before', '<=', now)]))
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('outbox as older')
            .select('older.id')
            .where('older.ended_at', 'is', null)
            .whereRef('older.chat', '=', 'head.chat')
            .whereRef('older.room_id', '=', 'head.room_id')
            .whereRef('older.bot_id', '=', 'head.bot_id')
            .whereRef('older.id', '<', 'head.id'),
        ),
      ),
    )
    .orderBy('head.id')
    .limit(limit);
  return lockRows(trx, heads, 'skip-locked', 'head').execute();
}

/** The lane's oldest unfinished row, taken to `sending` where it is owed and due. */
export async function claimHead(trx: Tx, lane: Lane, now: Instant): Promise<OutboxRow | null> {
  const oldest = trx
    .selectFrom('outbox')
    .selectAll()
    .where('ended_at', 'is', null)
    .where('chat', '=', lane.chat)
    .where('room_id', '=', lane.roomId)
    .where('bot_id', '=', lane.botId)
    .orderBy('id')
    .limit(1);
  const head = await lockRows(trx, oldest, 'wait').executeTakeFirst();
  const isDue = head?.state === 'owed' && (head.not_before === null || head.not_before <= now);
  return isDue ? claimRow(trx, head, now) : null;
}

/** A row found `sending` was left by a dead process, else its lane would be busy: whether it went out is unknown. */
async function claimRow(trx: Tx, row: Row, now: Instant): Promise<OutboxRow> {
  const change =
    row.state === 'owed'
      ? ({ state: 'sending', attempts: row.attempts + 1, sending_at: now } as const)
      : ({ state: 'unknown' } as const);
  await trx.updateTable('outbox').set(change).where('id', '=', row.id).execute();
  return toOutboxRow({ ...row, ...change });
}

/** Whether the reply has ended just so: told again, because whether the first time was written was not known. */
async function endedLike(trx: Tx, id: OutboxRow['id'], result: SendResult): Promise<boolean> {
  const row = await trx
    .selectFrom('outbox')
    .select(['state', 'platform_id', 'reason'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined || row.state !== result.kind) return false;
  return result.kind === 'sent' ? row.platform_id === result.platformId : row.reason === result.reason;
}

function isEnd(result: SendResult): boolean {
  return result.kind === 'sent' || result.kind === 'buried';
}

function changeOf(result: SendResult, now: Instant) {
  switch (result.kind) {
    case 'sent':
      return { state: 'sent', platform_id: result.platformId, ended_at: now } as const;
    case 'buried':
      return { state: 'buried', reason: result.reason, ended_at: now } as const;
    case 'unknown':
      return { state: 'unknown', not_before: wholeMs(result.notBefore), reason: result.reason } as const;
    case 'owed':
      return {
        state: 'owed',
        not_before: wholeMs(result.notBefore),
        reason: result.reason,
        ...(result.mayBeDouble ? { may_be_double: 1 } : {}),
      } as const;
    default:
      return unreachable(result);
  }
}

export function toOutboxRow(row: Row): OutboxRow {
  return {
    id: row.id,
    conversation: row.conversation,
    chat: row.chat,
    roomId: row.room_id,
    botId: row.bot_id,
    inboxId: row.inbox_id,
    kind: row.kind,
    markdown: row.markdown,
    state: row.state,
    attempts: row.attempts,
    createdAt: row.created_at,
    sendingAt: row.sending_at,
    platformId: row.platform_id,
    mayBeDouble: row.may_be_double === 1,
  };
}
