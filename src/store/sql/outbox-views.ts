import { type Selectable, sql } from 'kysely';
import type { OutboxQuery, OutboxViews, ReplyReplay, SeenReply } from '../../api/api.ts';
import type { Instant, OutboxId } from '../../base/terms.ts';
import type { OutboxState } from '../../outbox/outbox.ts';
import type { Database, Tx } from '../database.ts';
import type { Schema } from '../schema.ts';
import { lockRows } from './locks.ts';
import { toOutboxRow } from './outbox.ts';

type Row = Selectable<Schema['outbox']>;

export function makeOutboxViews(database: Database): OutboxViews {
  return {
    async list(query) {
      const found = await Promise.all(query.states.map((state) => select(database.read, state, query)));
      return found
        .flat()
        .sort((a, b) => b.id - a.id)
        .slice(0, query.limit)
        .map((row) => toSeen(row, query.withText));
    },

    replay(id, at) {
      const replaying = async (trx: Tx): Promise<ReplyReplay> => {
        const asked = trx.selectFrom('outbox').selectAll().where('id', '=', id);
        // Locked: two replays of one reply would both find no copy of it.
        const dead = await lockRows(trx, asked, 'wait').executeTakeFirst();
        if (dead === undefined) return { kind: 'unknown' };
        if (dead.state !== 'buried') return { kind: 'not-buried' };
        if (dead.markdown === '') return { kind: 'forgotten' };
        const copy = await trx
          .selectFrom('outbox')
          .select('id')
          .where('replay_of', '=', id)
          .executeTakeFirst();
        if (copy !== undefined) return { kind: 'replayed-before', id: copy.id };
        return { kind: 'replayed', reply: toSeen(await addCopy(trx, dead, at), false) };
      };
      return database.write(replaying, { lane: `replay reply ${id}` });
    },
  };
}

/** Each state by the index that holds nothing else; sent ones are nearly all there are. */
function select(read: Database['read'], state: OutboxState, query: OutboxQuery): Promise<Row[]> {
  const { conversation, before } = query;
  return read
    .selectFrom('outbox')
    .selectAll()
    .where(sql<boolean>`state = ${sql.lit(state)}`)
    .$if(state !== 'sent' && state !== 'buried', (of) => of.where('ended_at', 'is', null))
    .$if(conversation !== null, (of) => of.where('conversation', '=', conversation))
    .$if(before !== null, (of) => of.where('id', '<', before))
    .orderBy('id', 'desc')
    .limit(query.limit)
    .execute();
}

/** At the end of its room's row: nothing that was said since is held up or overtaken. */
function addCopy(trx: Tx, dead: Row, at: Instant): Promise<Row> {
  const { conversation, chat, room_id, bot_id, inbox_id, kind, markdown } = dead;
  return trx
    .insertInto('outbox')
    .values({
      ...{ conversation, chat, room_id, bot_id, inbox_id, kind, markdown },
      state: 'owed',
      attempts: 0,
      may_be_double: 0,
      created_at: at,
      replay_of: dead.id as OutboxId,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

function toSeen(row: Row, withText: boolean): SeenReply {
  return {
    ...toOutboxRow(row),
    markdown: withText ? row.markdown : null,
    reason: row.reason,
    notBefore: row.not_before,
    endedAt: row.ended_at,
    replayOf: row.replay_of,
  };
}
