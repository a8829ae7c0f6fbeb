import { type Selectable, sql } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import { parseConversationKey } from '../../base/conversation.ts';
import { type ConversationKey, type Lease, type RoomId, type SessionId, userId } from '../../base/terms.ts';
import type { Booking, SessionRecord, SessionRecords, SessionSettlement } from '../../session/session.ts';
import type { Database, Tx } from '../database.ts';
import type { Schema } from '../schema.ts';
import { checkFence } from './fence.ts';
import { forgetMessages } from './inbox-settlement.ts';
import { addToLedger } from './ledger.ts';
import { forgetReplies } from './outbox.ts';

type Row = Selectable<Schema['sessions']>;

export function makeSessionRecords(database: Database, clock: Clock, holder: string): SessionRecords {
  const { read } = database;
  return {
    async current(conversation) {
      const row = await read
        .selectFrom('sessions')
        .selectAll()
        .where('conversation', '=', conversation)
        .where('ended_at', 'is', null)
        .executeTakeFirst();
      return row === undefined ? null : toRecord(row);
    },

    async formerEnd(conversation) {
      const row = await read
        .selectFrom('sessions')
        .select('state')
        .where('conversation', '=', conversation)
        .where('ended_at', 'is not', null)
        .where('turn_count', '>', 0)
        .orderBy('ended_at', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row?.state ?? null;
    },

    begin(lease, record, former) {
      return database.write(async (trx) => {
        await checkFence(trx, lease, holder);
        if (former !== null) {
          await currentOf(trx, lease).set({ state: former, ended_at: clock.now() }).execute();
        }
        await trx.insertInto('sessions').values(toRow(record)).execute();
      });
    },

    end(lease, sessionId, state) {
      return database.write(async (trx) => {
        await checkFence(trx, lease, holder);
        await currentOf(trx, lease)
          .set({ state, ended_at: clock.now() })
          .where('session_id', '=', sessionId)
          .execute();
      });
    },

    compacted(lease, sessionId, after) {
      return database.write(async (trx) => {
        await checkFence(trx, lease, holder);
        await currentOf(trx, lease)
          .set(({ eb }) => ({
            session_id: after.sessionId,
            settled_entry: after.settledEntry,
            cost_usd: eb('cost_usd', '+', after.usage.costUsd),
          }))
          .where('session_id', '=', sessionId)
          .execute();
        await book(trx, lease, sessionId, after);
      });
    },

    booked(lease, sessionId, booking) {
      return database.write(async (trx) => {
        await checkFence(trx, lease, holder);
        await book(trx, lease, sessionId, booking);
      });
    },

    forget(lease) {
      return database.write(async (trx) => {
        await checkFence(trx, lease, holder);
        return forgetConversation(trx, lease.conversation, clock);
      });
    },

    async list(limit) {
      const rows = await read
        .selectFrom('sessions')
        .selectAll()
        .where('ended_at', 'is', null)
        .orderBy('last_used_at', 'desc')
        .limit(limit)
        .execute();
      return rows.map(toRecord);
    },

    async conversationsOf(roomId) {
      const room = roomId as RoomId | null;
      const remembered = await read
        .selectFrom('sessions')
        .select('conversation')
        .where('state', '!=', 'forgotten')
        .$if(room !== null, (query) => query.where('room_id', '=', room))
        .execute();
      const waiting = await read
        .selectFrom('inbox')
        .select('conversation')
        .where('ended_at', 'is', null)
        .$if(room !== null, (query) => query.where('room_id', '=', room))
        .orderBy('id')
        .execute();
      return [...new Set([...remembered, ...waiting].map((row) => row.conversation))];
    },
  };
}

/** The session inside a turn's transaction, whose fence is checked already. */
export function makeSessionSettlement(trx: Tx, lease: Lease): SessionSettlement {
  return {
    async settle({ sessionId, settledEntry, tier, start, costUsd, at }) {
      const settled = await currentOf(trx, lease)
        .set(({ eb }) => ({
          // The id that the latest message carried; some versions of the SDK change it on the way.
          session_id: sessionId,
          state: 'active',
          settled_entry: settledEntry,
          last_used_at: at,
          turn_count: eb('turn_count', '+', 1),
          cost_usd: eb('cost_usd', '+', costUsd),
          last_tier: tier,
          last_start: start,
        }))
        .returning('session_id')
        .execute();
      if (settled.length === 0) throw new Error(`${lease.conversation} has no session record to settle`);
    },

    async atRisk(at) {
      await currentOf(trx, lease).set({ memory_at_risk_at: at }).execute();
    },
  };
}

/** A compaction belongs to the conversation and to nobody in it. */
async function book(trx: Tx, lease: Lease, sessionId: SessionId, { usage, at }: Booking): Promise<void> {
  const of = parseConversationKey(lease.conversation);
  if (of === null) throw new Error('a conversation key that does not parse has no ledger');
  const { botId } = of;
  const whose = { conversation: lease.conversation, botId, userId: of.userId ?? userId('') };
  await addToLedger(trx, { ...whose, sessionId, outcome: 'compaction', usage, at });
}

/** Nothing of what was said stays: no transcript, no text of a message, none of a reply. Keys and figures do. */
async function forgetConversation(trx: Tx, conversation: ConversationKey, clock: Clock): Promise<number> {
  const now = clock.now();
  await trx
    .deleteFrom('transcript_entries')
    .where('session_id', 'in', ({ selectFrom }) =>
      selectFrom('sessions').select('session_id').where('conversation', '=', conversation),
    )
    .execute();
  await trx
    .updateTable('sessions')
    .set({ state: 'forgotten', ended_at: sql<number>`coalesce(ended_at, ${now})` })
    .where('conversation', '=', conversation)
    .where('state', '!=', 'forgotten')
    .execute();
  await forgetReplies(trx, conversation, now);
  return forgetMessages(trx, conversation, now);
}

function currentOf(trx: Tx, lease: Lease) {
  return trx
    .updateTable('sessions')
    .where('conversation', '=', lease.conversation)
    .where('ended_at', 'is', null);
}

function toRow(record: SessionRecord) {
  return {
    session_id: record.sessionId,
    conversation: record.conversation,
    room_id: roomOf(record.conversation),
    state: record.state,
    settled_entry: record.settledEntry,
    fingerprint: record.fingerprint,
    created_at: record.createdAt,
    last_used_at: record.lastUsedAt,
    turn_count: record.turnCount,
    cost_usd: record.costUsd,
    last_tier: record.lastTier,
    last_start: record.lastStart,
    memory_at_risk_at: record.memoryAtRiskAt,
  };
}

function roomOf(conversation: ConversationKey): RoomId {
  const parts = parseConversationKey(conversation);
  if (parts === null) throw new Error(`${conversation} is no conversation key`);
  return parts.roomId;
}

export function toRecord(row: Row): SessionRecord {
  return {
    sessionId: row.session_id,
    conversation: row.conversation,
    state: row.state,
    settledEntry: row.settled_entry,
    fingerprint: row.fingerprint,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    turnCount: row.turn_count,
    costUsd: row.cost_usd,
    lastTier: row.last_tier,
    lastStart: row.last_start,
    memoryAtRiskAt: row.memory_at_risk_at,
  };
}
