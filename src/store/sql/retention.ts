import { type RawBuilder, sql } from 'kysely';
import type { ConversationKey, Instant, Lease, SessionId } from '../../base/terms.ts';
import type { Database, Tx } from '../database.ts';
import { checkFence } from './fence.ts';
import { ids } from './inbox-rows.ts';

/** Rows of one transaction: some milliseconds, between which everybody else's writes go on. */
const ROWS_AT_ONCE = 100;

/** The last row that a pass has seen, where some rows stay and a pass has to get past them. */
export type Mark<Id> = { readonly at: Instant; readonly id: Id };

/** `next` null: the pass has reached the end. */
export type Sweep = { readonly deleted: number; readonly next: Mark<number> | null };

/** `at`: when it ended, or when it was used last while it is current. */
export type AgedSession = Mark<SessionId> & { readonly conversation: ConversationKey };

/**
 * Deletes what ended before an instant, a bounded piece with each call. What is not finished is never touched, however
 * old it is. Calls without a mark give the number of rows that went; 0: there are no more.
 */
export type Retention = {
  /** Messages with their dedupe keys. The newest of all stays, without its text: ids count up from it. */
  messages(before: Instant): Promise<number>;
  turns(before: Instant): Promise<number>;
  roomMessages(before: Instant): Promise<number>;
  /** Replies. The newest that was sent in each lane stays, without its text: reading a room back starts at it. */
  replies(before: Instant, from: Mark<number> | null): Promise<Sweep>;
  /** What attempts took. What a current session took stays: its limit counts it. */
  ledger(before: Instant, from: Mark<number> | null): Promise<Sweep>;

  /** Current sessions, the one unused for longest first. */
  idleSessions(before: Instant, from: Mark<SessionId> | null, limit: number): Promise<readonly AgedSession[]>;
  /** Ended sessions, the first that ended first. */
  endedSessions(
    before: Instant,
    from: Mark<SessionId> | null,
    limit: number,
  ): Promise<readonly AgedSession[]>;
  /** Ends a current session as expired at an instant, unless it was used since it was read. Throws `LeaseLost`. */
  expire(lease: Lease, session: AgedSession, at: Instant): Promise<void>;
  /** Whether nothing is left of a conversation but sessions that ended before, and no message of it waits. */
  isOver(conversation: ConversationKey, before: Instant): Promise<boolean>;
  /** Entries of the transcript of an ended session. */
  transcript(id: SessionId): Promise<number>;
  /** The record of an ended session, after its transcript. Throws `LeaseLost`. */
  session(lease: Lease, id: SessionId): Promise<void>;
};

export function makeRetention(database: Database, holder: string): Retention {
  return {
    messages: (before) => database.write((trx) => deleteMessages(trx, before)),
    turns: (before) => database.write((trx) => deleteTurns(trx, before)),
    roomMessages: (before) => database.write((trx) => deleteRoomMessages(trx, before)),
    replies: (before, from) => database.write((trx) => sweepReplies(trx, before, from)),
    ledger: (before, from) => database.write((trx) => sweepLedger(trx, before, from)),
    ...makeSessionRetention(database, holder),
  };
}

async function deleteMessages(trx: Tx, before: Instant): Promise<number> {
  const newest = trx.selectFrom('inbox').select(({ fn }) => fn.max('id').as('id'));
  await trx
    .updateTable('inbox')
    .set({ text: '' })
    .where('id', '=', newest)
    .where('ended_at', '<', before)
    .where('text', '!=', '')
    .execute();
  const old = trx
    .selectFrom('inbox')
    .select('id')
    .where('ended_at', 'is not', null)
    .where('ended_at', '<', before)
    .where('id', '<', newest)
    .orderBy('ended_at')
    .limit(ROWS_AT_ONCE);
  return count(await trx.deleteFrom('inbox').where('id', 'in', old).executeTakeFirst());
}

async function deleteTurns(trx: Tx, before: Instant): Promise<number> {
  const old = trx
    .selectFrom('turns')
    .select('id')
    .where('ended_at', '<', before)
    .orderBy('ended_at')
    .limit(ROWS_AT_ONCE);
  return count(await trx.deleteFrom('turns').where('id', 'in', old).executeTakeFirst());
}

async function deleteRoomMessages(trx: Tx, before: Instant): Promise<number> {
  const old = trx
    .selectFrom('room_messages')
    .select('id')
    .where('created_at', '<', before)
    .orderBy('created_at')
    .limit(ROWS_AT_ONCE);
  return count(await trx.deleteFrom('room_messages').where('id', 'in', old).executeTakeFirst());
}

async function sweepReplies(trx: Tx, before: Instant, from: Mark<number> | null): Promise<Sweep> {
  const old = await trx
    .selectFrom('outbox as old')
    .select(['old.id', 'old.ended_at as at'])
    .select(({ exists, selectFrom }) =>
      exists(
        selectFrom('outbox as newer')
          .select('newer.id')
          .whereRef('newer.chat', '=', 'old.chat')
          .whereRef('newer.room_id', '=', 'old.room_id')
          .whereRef('newer.bot_id', '=', 'old.bot_id')
          .whereRef('newer.id', '>', 'old.id')
          .where('newer.platform_id', 'is not', null),
      ).as('is_passed'),
    )
    .select(sql<boolean>`old.platform_id is null`.as('is_unsent'))
    .where('old.ended_at', 'is not', null)
    .where('old.ended_at', '<', before)
    .where(isPast(sql`(old.ended_at, old.id)`, from, -1))
    .orderBy('old.ended_at')
    .orderBy('old.id')
    .limit(ROWS_AT_ONCE)
    .$narrowType<{ at: Instant }>()
    .execute();
  const [gone, kept] = split(old, (row) => Boolean(row.is_passed || row.is_unsent));
  if (kept.length > 0) {
    const change = trx.updateTable('outbox').set({ markdown: '' }).where('id', 'in', kept);
    await change.where('markdown', '!=', '').execute();
  }
  if (gone.length > 0) await trx.deleteFrom('outbox').where('id', 'in', gone).execute();
  return { deleted: gone.length, next: markOf(old) };
}

async function sweepLedger(trx: Tx, before: Instant, from: Mark<number> | null): Promise<Sweep> {
  const old = await trx
    .selectFrom('ledger')
    .select(['ledger.id', 'ledger.at'])
    .select(({ exists, selectFrom }) =>
      exists(
        selectFrom('sessions')
          .select('sessions.session_id')
          .whereRef('sessions.conversation', '=', 'ledger.conversation')
          .whereRef('sessions.created_at', '<=', 'ledger.at')
          .where('sessions.ended_at', 'is', null),
      ).as('is_counted'),
    )
    .where('ledger.at', '<', before)
    .where(isPast(sql`(ledger.at, ledger.id)`, from, -1))
    .orderBy('ledger.at')
    .orderBy('ledger.id')
    .limit(ROWS_AT_ONCE)
    .execute();
  const [gone] = split(old, (row) => !row.is_counted);
  if (gone.length > 0) await trx.deleteFrom('ledger').where('id', 'in', gone).execute();
  return { deleted: gone.length, next: markOf(old) };
}

function makeSessionRetention(
  database: Database,
  holder: string,
): Pick<Retention, 'idleSessions' | 'endedSessions' | 'expire' | 'isOver' | 'transcript' | 'session'> {
  const { read } = database;
  return {
    idleSessions: (before, from, limit) =>
      read
        .selectFrom('sessions')
        .select(['session_id as id', 'conversation', 'last_used_at as at'])
        .where('ended_at', 'is', null)
        .where('last_used_at', '<', before)
        .where(isPast(sql`(last_used_at, session_id)`, from, ''))
        .orderBy('last_used_at')
        .orderBy('session_id')
        .limit(limit)
        .execute(),

    endedSessions: (before, from, limit) =>
      read
        .selectFrom('sessions')
        .select(['session_id as id', 'conversation', 'ended_at as at'])
        .where('ended_at', 'is not', null)
        .where('ended_at', '<', before)
        .where(isPast(sql`(ended_at, session_id)`, from, ''))
        .orderBy('ended_at')
        .orderBy('session_id')
        .limit(limit)
        .$narrowType<{ at: Instant }>()
        .execute(),

    expire: (lease, session, at) =>
      database.write(async (trx) => {
        await checkFence(trx, lease, holder);
        await trx
          .updateTable('sessions')
          .set({ state: 'expired', ended_at: at })
          .where('session_id', '=', session.id)
          .where('ended_at', 'is', null)
          .where('last_used_at', '=', session.at)
          .execute();
      }),

    async isOver(conversation, before) {
      const goesOn = await read
        .selectFrom('sessions')
        .select('session_id')
        .where('conversation', '=', conversation)
        .where(({ eb, or }) => or([eb('ended_at', 'is', null), eb('ended_at', '>=', before)]))
        .limit(1)
        .executeTakeFirst();
      if (goesOn !== undefined) return false;
      const waits = await read
        .selectFrom('inbox')
        .select('id')
        .where('conversation', '=', conversation)
        .where('ended_at', 'is', null)
        .limit(1)
        .executeTakeFirst();
      return waits === undefined;
    },

    transcript: (id) =>
      database.write(async (trx) => {
        const some = trx
          .selectFrom('transcript_entries')
          .select(['subpath', 'position'])
          .where('session_id', '=', id)
          .orderBy('subpath')
          .orderBy('position')
          .limit(ROWS_AT_ONCE);
        const deleted = await trx
          .deleteFrom('transcript_entries')
          .where('session_id', '=', id)
          .where(({ eb, refTuple }) =>
            eb(refTuple('subpath', 'position'), 'in', some.$asTuple('subpath', 'position')),
          )
          .executeTakeFirst();
        return count(deleted);
      }),

    session: (lease, id) =>
      database.write(async (trx) => {
        await checkFence(trx, lease, holder);
        await trx
          .deleteFrom('sessions')
          .where('session_id', '=', id)
          .where('ended_at', 'is not', null)
          .execute();
      }),
  };
}

/** Rows after the mark in the order of an index; `first` is below every id. */
function isPast<Id>(
  columns: RawBuilder<unknown>,
  from: Mark<Id> | null,
  first: number | string,
): RawBuilder<boolean> {
  return sql<boolean>`${columns} > (${from?.at ?? -1}, ${from?.id ?? first})`;
}

/** Fewer rows than asked for are the last ones. */
function markOf(rows: readonly Mark<number>[]): Mark<number> | null {
  const last = rows.at(-1);
  return rows.length < ROWS_AT_ONCE || last === undefined ? null : { at: last.at, id: last.id };
}

function split<Row extends { readonly id: number }>(
  rows: readonly Row[],
  goes: (row: Row) => boolean,
): readonly [gone: Row['id'][], kept: Row['id'][]] {
  return [ids(rows.filter(goes)), ids(rows.filter((row) => !goes(row)))];
}

function count(result: { readonly numDeletedRows: bigint } | undefined): number {
  return Number(result?.numDeletedRows ?? 0n);
}
