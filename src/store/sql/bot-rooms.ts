import type { Clock } from '../../base/clock.ts';
import { setNewest } from '../../base/set-newest.ts';
import type { BotRooms } from '../../chat/chat.ts';
import type { Database } from '../database.ts';

/** Rooms remembered as stored, at most; any other is stored again. */
const MOST_REMEMBERED = 10_000;

export function makeBotRooms(database: Database, clock: Clock): BotRooms {
  /** Names as they are stored. Nobody else writes them. */
  const stored = new Map<string, string | null>();
  return {
    async note(chat, bot, { roomId, roomName }) {
      // Every webhook names its room; only a new room or name is worth a write.
      const place = JSON.stringify([chat, bot, roomId]);
      if (stored.get(place) === roomName) return;
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
      setNewest(stored, place, roomName, MOST_REMEMBERED);
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
