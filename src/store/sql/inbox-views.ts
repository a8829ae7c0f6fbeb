import { sql } from 'kysely';
import type { InboxQuery, InboxViews, ReplayOutcome, SeenMessage } from '../../api/api.ts';
import type { InboxId, Instant } from '../../base/terms.ts';
import type { InboxState } from '../../inbox/inbox.ts';
import type { Database, Tx } from '../database.ts';
import { type InboxRow, toMessage } from './inbox-rows.ts';
import { lockRows } from './locks.ts';

export function makeInboxViews(database: Database): InboxViews {
  return {
    async list(query) {
      const found = await Promise.all(query.states.map((state) => select(database.read, state, query)));
      return found
        .flat()
        .sort((a, b) => b.id - a.id)
        .slice(0, query.limit)
        .map(toSeen);
    },

    replay(id, at) {
      const replaying = async (trx: Tx): Promise<ReplayOutcome> => {
        const asked = trx.selectFrom('inbox').selectAll().where('id', '=', id);
        // Locked: two replays of one message would both find no copy of it.
        const dead = await lockRows(trx, asked, 'wait').executeTakeFirst();
        if (dead === undefined) return { kind: 'unknown' };
        if (dead.state !== 'buried') return { kind: 'not-buried' };
        if (dead.text === '') return { kind: 'forgotten' };
        const before = await copyOf(trx, id);
        if (before !== null) return { kind: 'replayed-before', id: before };
        return { kind: 'replayed', message: toSeen({ ...(await addCopy(trx, dead, at)), text: null }) };
      };
      return database.write(replaying, { lane: `replay ${id}` });
    },
  };
}

type Wanted = Omit<InboxRow, 'text'> & { readonly text: string | null };

/** Each state by the index that holds nothing else; settled ones are nearly all there are. */
function select(read: Database['read'], state: InboxState, query: InboxQuery): Promise<Wanted[]> {
  const { conversation, before, withText } = query;
  return read
    .selectFrom('inbox')
    .select(FIELDS)
    .select(withText ? 'text' : sql<null>`null`.as('text'))
    .where(sql<boolean>`state = ${sql.lit(state)}`)
    .$if(state === 'waiting' || state === 'running', (of) => of.where('ended_at', 'is', null))
    .$if(conversation !== null, (of) => of.where('conversation', '=', conversation))
    .$if(before !== null, (of) => of.where('id', '<', before))
    .orderBy('id', 'desc')
    .limit(query.limit)
    .execute();
}

/** All but the text. */
const FIELDS = [
  'id',
  'conversation',
  'chat',
  'room_id',
  'room_name',
  'bot_id',
  'user_id',
  'user_name',
  'message_id',
  'digest',
  'state',
  'attempts',
  'not_before',
  'prompt_id',
  'fence',
  'told_longer_at',
  'accepted_at',
  'sent_at',
  'ended_at',
  'outcome',
  'replay_of',
] as const;

async function copyOf(trx: Tx, id: InboxId): Promise<InboxId | null> {
  const copy = await trx.selectFrom('inbox').select('id').where('replay_of', '=', id).executeTakeFirst();
  return copy?.id ?? null;
}

/** The dedupe key stays the dead one's: a webhook that comes again is a duplicate of that, not a third message. */
function addCopy(trx: Tx, dead: InboxRow, at: Instant): Promise<InboxRow> {
  const { conversation, chat, room_id, room_name, bot_id, user_id, user_name, message_id, text, sent_at } =
    dead;
  return trx
    .insertInto('inbox')
    .values({
      ...{ conversation, chat, room_id, room_name, bot_id, user_id, user_name, message_id, text, sent_at },
      digest: `replay of ${dead.id}`,
      state: 'waiting',
      attempts: 0,
      accepted_at: at,
      replay_of: dead.id,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

function toSeen(row: Wanted): SeenMessage {
  const { promptId: _, ...message } = toMessage({ ...row, text: '' }, null);
  return {
    ...message,
    text: row.text,
    outcome: row.outcome,
    endedAt: row.ended_at,
    notBefore: row.not_before,
    replayOf: row.replay_of,
  };
}
