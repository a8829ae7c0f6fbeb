import type { Selectable } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import type { InboxId } from '../../base/terms.ts';
import type { TurnRecord, TurnStore } from '../../turn/turn.ts';
import type { Database, Tx } from '../database.ts';
import type { Schema } from '../schema.ts';
import { checkFence } from './fence.ts';
import { makeInboxSettlement } from './inbox-settlement.ts';
import { addToLedger } from './ledger.ts';
import { addReplies, claimHead } from './outbox.ts';
import { makeSessionSettlement } from './sessions.ts';

export function makeTurnStore(database: Database, clock: Clock, holder: string): TurnStore {
  return {
    transaction(lease, work) {
      const committing = async (trx: Tx) => {
        await checkFence(trx, lease, holder);
        return work({
          inbox: makeInboxSettlement(trx, lease, clock),
          outbox: {
            add: (replies) => addReplies(trx, replies, clock.now()),
            claim: (lane) => claimHead(trx, lane, clock.now()),
          },
          sessions: makeSessionSettlement(trx, lease),
          ledger: { add: (entry) => addToLedger(trx, entry) },
          turns: { add: (record) => addTurn(trx, record) },
        });
      };
      // An answer that was paid for is worth a wait.
      return database.write(committing, { patience: 'long' });
    },

    async recent(conversation, limit) {
      const rows = await database.read
        .selectFrom('turns')
        .selectAll()
        .$if(conversation !== null, (query) => query.where('conversation', '=', conversation))
        .orderBy('id', 'desc')
        .limit(limit)
        .execute();
      return rows.map(toTurnRecord);
    },
  };
}

async function addTurn(trx: Tx, record: TurnRecord): Promise<void> {
  await trx
    .insertInto('turns')
    .values({
      conversation: record.conversation,
      bot_id: record.botId,
      session_id: record.sessionId,
      inbox_ids: JSON.stringify(record.inboxIds),
      tier: record.tier,
      start: record.start,
      reason: record.reason,
      outcome: record.outcome,
      attempt: record.attempt,
      ended_at: record.endedAt,
      waited_ms: record.waitedMs,
      opened_ms: record.openedMs,
      first_text_ms: record.firstTextMs,
      answered_ms: record.answeredMs,
    })
    .execute();
}

function toTurnRecord(row: Selectable<Schema['turns']>): TurnRecord {
  return {
    conversation: row.conversation,
    botId: row.bot_id,
    sessionId: row.session_id,
    // Written by `addTurn` and by nobody else.
    inboxIds: JSON.parse(row.inbox_ids) as InboxId[],
    tier: row.tier,
    start: row.start,
    reason: row.reason,
    outcome: row.outcome,
    attempt: row.attempt,
    endedAt: row.ended_at,
    waitedMs: row.waited_ms,
    openedMs: row.opened_ms,
    firstTextMs: row.first_text_ms,
    answeredMs: row.answered_ms,
  };
}
