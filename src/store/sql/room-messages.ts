import type { Selectable } from 'kysely';
import type { RoomMessage, RoomStore } from '../../chat/chat.ts';
import type { Database } from '../database.ts';
import type { Schema } from '../schema.ts';
import { oneAtATime } from './locks.ts';

export function makeRoomMessages(database: Database): RoomStore {
  return {
    async add(message) {
      const { id } = await database.write(async (trx) => {
        // Whoever has read up to an id asks for higher ones only: none may appear below it.
        await oneAtATime(trx, 'room', message.roomId);
        return trx
          .insertInto('room_messages')
          .values({
            room_id: message.roomId,
            author_id: message.author.id,
            author_name: message.author.name,
            author_is_bot: message.author.isBot ? 1 : 0,
            html: message.html,
            plain_text: message.plainText,
            created_at: message.createdAt,
          })
          .returning('id')
          .executeTakeFirstOrThrow();
      });
      return { id, ...message };
    },

    async list(room, afterId, limit) {
      const ofRoom = database.read.selectFrom('room_messages').selectAll().where('room_id', '=', room);
      const page =
        afterId === null
          ? await ofRoom.orderBy('id', 'desc').limit(limit).execute()
          : await ofRoom.where('id', '>', afterId).orderBy('id').limit(limit).execute();
      return (afterId === null ? page.reverse() : page).map(toRoomMessage);
    },
  };
}

function toRoomMessage(row: Selectable<Schema['room_messages']>): RoomMessage {
  return {
    id: row.id,
    roomId: row.room_id,
    author: { id: row.author_id, name: row.author_name, isBot: row.author_is_bot === 1 },
    html: row.html,
    plainText: row.plain_text,
    createdAt: row.created_at,
  };
}
