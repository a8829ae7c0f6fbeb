import { type ExpressionBuilder, sql } from 'kysely';
import { makeDateOf } from '../../base/local-day.ts';
import type { Instant } from '../../base/terms.ts';
import type { Ledger, LedgerEntry, Total } from '../../turn/turn.ts';
import type { Database, Tx } from '../database.ts';
import type { Schema } from '../schema.ts';

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

const BY = { conversation: 'conversation', bot: 'bot_id', user: 'user_id' } as const;
/** Every zone's offset is a multiple of it, so that a day of any zone is a whole number of them. */
const QUARTER_MS = 900_000;

export function makeLedger({ read, write }: Database): Ledger {
  function since(start: Instant) {
    return read.selectFrom('ledger').where('at', '>=', start);
  }

  return {
    add: (entry) => write((trx) => addToLedger(trx, entry), { patience: 'long' }),

    async spent(of) {
      const rows =
        'conversation' in of
          ? since(of.since).where('conversation', '=', of.conversation)
          : since(of.since).where('bot_id', '=', of.bot).where('user_id', '=', of.user);
      const sum = await rows
        .select(({ fn }) => fn.sum<number | null>('cost_usd').as('usd'))
        .executeTakeFirstOrThrow();
      return sum.usd ?? 0;
    },

    totals(by, start, limit) {
      // As an expression: by the bare column SQLite would walk the index that is sorted by it, all years of it.
      const of = sql<string>`coalesce(${sql.ref(BY[by])}, '')`;
      return since(start)
        .select(of.as('of'))
        .select(selectSums)
        .groupBy(of)
        .orderBy('costUsd', 'desc')
        .limit(limit)
        .execute();
    },

    async daily(start, timeZone) {
      const quarters = await since(start)
        .select(sql<Instant>`at - at % ${sql.lit(QUARTER_MS)}`.as('quarter'))
        .select(selectSums)
        .groupBy('quarter')
        .orderBy('quarter')
        .execute();
      const dateOf = makeDateOf(timeZone);
      const days = new Map<string, Total>();
      for (const { quarter, ...total } of quarters) {
        const of = dateOf(quarter);
        days.set(of, add(days.get(of), { of, ...total }));
      }
      return [...days.values()];
    },
  };
}

function selectSums({ fn }: ExpressionBuilder<Schema, 'ledger'>) {
  return [
    fn.countAll<number>().as('attempts'),
    fn.sum<number>('cost_usd').as('costUsd'),
    fn.sum<number>('input_tokens').as('inputTokens'),
    fn.sum<number>('output_tokens').as('outputTokens'),
    fn.sum<number>('cache_read_tokens').as('cacheReadTokens'),
    fn.sum<number>('cache_write_tokens').as('cacheWriteTokens'),
  ] as const;
}

function add(before: Total | undefined, more: Total): Total {
  if (before === undefined) return more;
  return {
    of: more.of,
    attempts: before.attempts + more.attempts,
    costUsd: before.costUsd + more.costUsd,
    inputTokens: before.inputTokens + more.inputTokens,
    outputTokens: before.outputTokens + more.outputTokens,
    cacheReadTokens: before.cacheReadTokens + more.cacheReadTokens,
    cacheWriteTokens: before.cacheWriteTokens + more.cacheWriteTokens,
  };
}
