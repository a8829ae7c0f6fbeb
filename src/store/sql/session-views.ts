import { sql } from 'kysely';
import type { SessionMark, SessionViews, Spent } from '../../api/api.ts';
import type { ConversationKey, SessionId } from '../../base/terms.ts';
import type { Database } from '../database.ts';
import { toRecord } from './sessions.ts';
import { MAIN } from './transcripts.ts';

export function makeSessionViews({ read }: Database): SessionViews {
  return {
    async current(before, limit) {
      const rows = await currentBefore(read, before).limit(limit).execute();
      return rows.map(toRecord);
    },

    async count() {
      const { count } = await read
        .selectFrom('sessions')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where('ended_at', 'is', null)
        .executeTakeFirstOrThrow();
      return count;
    },

    async latest(conversation) {
      const row = await read
        .selectFrom('sessions')
        .selectAll()
        .where('conversation', '=', conversation)
        .orderBy('created_at', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row === undefined ? null : toRecord(row);
    },

    async isKnownSession(sessionId) {
      const row = await read
        .selectFrom('sessions')
        .select('session_id')
        .where('session_id', '=', sessionId)
        .executeTakeFirst();
      return row !== undefined;
    },

    async isKnown(conversation) {
      for (const table of ['sessions', 'inbox'] as const) {
        const row = await read
          .selectFrom(table)
          .select('conversation')
          .where('conversation', '=', conversation)
          .limit(1)
          .executeTakeFirst();
        if (row !== undefined) return true;
      }
      return false;
    },

    spent: (conversation) => sumLedger(read, conversation),

    async transcript(sessionId, subpath, after, most) {
      const part = { sessionId, subpath: subpath ?? MAIN, after: after ?? -1 };
      const sizes = await selectSizes(read, part, most.entries + 1);
      const { last, next } = decidePage(sizes, most);
      if (last === null) return { entries: [], next: null };
      const rows = await entriesOf(read, part)
        .select('entry')
        .where('position', '<=', last)
        .orderBy('position')
        .execute();
      return { entries: rows.map(({ entry }) => entry), next };
    },
  };
}

/** Equal times stand in the order of their ids, so that no session is on two pages or on none. */
function currentBefore(read: Database['read'], before: SessionMark | null) {
  const current = read
    .selectFrom('sessions')
    .selectAll()
    .where('ended_at', 'is', null)
    .orderBy('last_used_at', 'desc')
    .orderBy('session_id', 'desc');
  if (before === null) return current;
  return current
    .where('last_used_at', '<=', before.lastUsedAt)
    .where(({ eb, or }) =>
      or([eb('last_used_at', '<', before.lastUsedAt), eb('session_id', '<', before.sessionId)]),
    );
}

async function sumLedger(read: Database['read'], conversation: ConversationKey): Promise<Spent> {
  const sums = await read
    .selectFrom('ledger')
    .select(({ fn }) => [
      fn.countAll<number>().as('attempts'),
      fn.sum<number | null>('cost_usd').as('costUsd'),
      fn.sum<number | null>('input_tokens').as('inputTokens'),
      fn.sum<number | null>('output_tokens').as('outputTokens'),
      fn.sum<number | null>('cache_read_tokens').as('cacheReadTokens'),
      fn.sum<number | null>('cache_write_tokens').as('cacheWriteTokens'),
    ])
    .where('conversation', '=', conversation)
    .executeTakeFirstOrThrow();
  return {
    attempts: sums.attempts,
    costUsd: sums.costUsd ?? 0,
    inputTokens: sums.inputTokens ?? 0,
    outputTokens: sums.outputTokens ?? 0,
    cacheReadTokens: sums.cacheReadTokens ?? 0,
    cacheWriteTokens: sums.cacheWriteTokens ?? 0,
  };
}

type Part = { readonly sessionId: SessionId; readonly subpath: string; readonly after: number };

function entriesOf(read: Database['read'], { sessionId, subpath, after }: Part) {
  return read
    .selectFrom('transcript_entries')
    .where('session_id', '=', sessionId)
    .where('subpath', '=', subpath)
    .where('position', '>', after);
}

type Size = { readonly position: number; readonly bytes: number };

/** Sizes come without their entries: a page is cut before anything large is read. */
function selectSizes(read: Database['read'], part: Part, limit: number): Promise<readonly Size[]> {
  return entriesOf(read, part)
    .select(['position', sql<number>`octet_length(entry)`.as('bytes')])
    .orderBy('position')
    .limit(limit)
    .execute();
}

/** `last`: position of the last entry of the page. `next`: the same, when something comes after it. */
function decidePage(
  sizes: readonly Size[],
  most: { readonly entries: number; readonly bytes: number },
): { readonly last: number | null; readonly next: number | null } {
  let bytes = 0;
  let count = 0;
  for (const size of sizes) {
    bytes += size.bytes;
    if (count === most.entries || (count > 0 && bytes > most.bytes)) break;
    count += 1;
  }
  const last = sizes[count - 1]?.position ?? null;
  return { last, next: count < sizes.length ? last : null };
}
