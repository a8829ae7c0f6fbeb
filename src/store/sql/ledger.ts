import type { LedgerEntry } from '../../turn/turn.ts';
import type { Tx } from '../database.ts';

/** What an attempt took, settled or not. */
export async function addToLedger(trx: Tx, { usage, ...entry }: LedgerEntry): Promise<void> {
  await trx
    .insertInto('ledger')
    .values({
      conversation: entry.conversation,
      bot_id: entry.botId,
      user_id: entry.userId,
      session_id: entry.sessionId,
      outcome: entry.outcome,
      cost_usd: usage.costUsd,
      input_tokens: usage.inputTokens,
      output_tokens: usage.outputTokens,
      cache_read_tokens: usage.cacheReadTokens,
      cache_write_tokens: usage.cacheWriteTokens,
      at: entry.at,
    })
    .execute();
}
