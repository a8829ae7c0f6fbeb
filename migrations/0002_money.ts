/**
 * What a conversation, and a person with a bot, has spent since a point in time is read from an index alone: a limit is
 * looked at before each turn. `ledger_by_time` is for the totals that operators look at.
 */
import type { Kysely } from 'kysely';
import { createIndex } from './tables.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  await createIndex(db, 'ledger_of_conversation', 'ledger', ['conversation', 'at', 'user_id', 'cost_usd']);
  await createIndex(db, 'ledger_of_user', 'ledger', ['bot_id', 'user_id', 'at', 'cost_usd']);
  await createIndex(db, 'ledger_by_time', 'ledger', ['at']);
}
