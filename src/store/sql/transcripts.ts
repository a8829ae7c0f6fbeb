import type { TranscriptEntry, TranscriptStore } from '../../agent/agent.ts';
import type { SessionId } from '../../base/terms.ts';
import type { Database, Tx } from '../database.ts';
import { checkFence } from './fence.ts';

/** The subpath of the main transcript: a primary key cannot hold null, and the SDK never gives an empty one. */
export const MAIN = '';

/** Rows of one statement; five values each stay far below what either database binds. */
const ROWS_AT_ONCE = 100;

export function makeTranscripts(database: Database, holder: string): TranscriptStore {
  const { read } = database;

  function entriesOf(sessionId: SessionId, subpath: string) {
    return read
      .selectFrom('transcript_entries')
      .select('entry')
      .where('session_id', '=', sessionId)
      .where('subpath', '=', subpath)
      .orderBy('position');
  }

  async function load(sessionId: SessionId, subpath: string | null) {
    const rows = await entriesOf(sessionId, subpath ?? MAIN).execute();
    return rows.length === 0 ? null : rows.map(toEntry);
  }

  return {
    append(owner, sessionId, subpath, entries) {
      const rows = entries.map((entry) => ({
        session_id: sessionId,
        subpath: subpath ?? MAIN,
        uuid: typeof entry.uuid === 'string' ? entry.uuid : null,
        entry: JSON.stringify(entry),
      }));
      const appending = async (trx: Tx) => {
        // Its lock keeps the appends of a session apart: each one's positions follow the last committed one's.
        await checkFence(trx, owner, holder);
        const first = await nextPosition(trx, sessionId, subpath ?? MAIN);
        const placed = rows.map((row, index) => ({ ...row, position: first + index }));
        for (let from = 0; from < placed.length; from += ROWS_AT_ONCE) {
          await trx
            .insertInto('transcript_entries')
            .values(placed.slice(from, from + ROWS_AT_ONCE))
            .onConflict((conflict) => conflict.doNothing())
            .execute();
        }
      };
      return database.write(appending, { patience: 'long', lane: sessionId });
    },

    load,

    async subpaths(sessionId) {
      const rows = await read
        .selectFrom('transcript_entries')
        .select('subpath')
        .distinct()
        .where('session_id', '=', sessionId)
        .where('subpath', '!=', MAIN)
        .orderBy('subpath')
        .execute();
      return rows.map((row) => row.subpath);
    },

    async after(sessionId, entry) {
      if (entry === null) return load(sessionId, null);
      const mark = await read
        .selectFrom('transcript_entries')
        .select('position')
        .where('session_id', '=', sessionId)
        .where('subpath', '=', MAIN)
        .where('uuid', '=', entry)
        .executeTakeFirst();
      if (mark === undefined) return null;
      const rows = await entriesOf(sessionId, MAIN).where('position', '>', mark.position).execute();
      return rows.map(toEntry);
    },

    async delete(sessionId) {
      await database.write((trx) =>
        trx.deleteFrom('transcript_entries').where('session_id', '=', sessionId).execute(),
      );
    },
  };
}

/** Entries stand in the order in which their appends are committed: whoever appends waits for the one before. */
async function nextPosition(trx: Tx, sessionId: SessionId, subpath: string): Promise<number> {
  const last = await trx
    .selectFrom('transcript_entries')
    .select('position')
    .where('session_id', '=', sessionId)
    .where('subpath', '=', subpath)
    .orderBy('position', 'desc')
    .limit(1)
    .executeTakeFirst();
  return (last?.position ?? -1) + 1;
}

/** The SDK promises JSON, and it comes back as it was given. */
function toEntry(row: { readonly entry: string }): TranscriptEntry {
  try {
    return JSON.parse(row.entry) as TranscriptEntry;
  } catch {
    // The parser's own words quote the text, and errors are logged.
    throw new Error('an entry of a stored transcript is not JSON');
  }
}
