import type { Clock } from '../../base/clock.ts';
import type { BotRooms } from '../../chat/chat.ts';
import type { Database } from '../database.ts';

export function makeBotRooms(database: Database, clock: Clock): BotRooms {
  return {
    async note(chat, bot, { roomId, roomName }) {
      // Every webhook names its room; only a new room or name is worth a write.
      const known = await database.read
        .selectFrom('bot_rooms')
        .select('room_name')
        .where('chat', '=', chat)
        .where('bot_id', '=', bot)
        .where('room_id', '=', roomId)
        .executeTakeFirst();
      if (known !== undefined && known.room_name === roomName) return;
      const row = { chat, bot_id: bot, room_id: roomId, room_name: roomName, heard_at: clock.now() };
      await database.write((trx) =>
        trx
          .insertInto('bot_rooms')
          .values(row)
          .onConflict((conflict) =>
            conflict.columns(['chat', 'bot_id', 'room_id']).doUpdateSet({ room_name: roomName }),
          )
          .execute(),
      );
    },

    async of(chat, bot, limit) {
      const rows = await database.read
        .selectFrom('bot_rooms')
        .select(['room_id', 'room_name'])
        .where('chat', '=', chat)
        .where('bot_id', '=', bot)
        .orderBy('heard_at', 'desc')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ roomId: row.room_id, roomName: row.room_name }));
    },
  };
}
