/**
 * Accepts messages into a new database and ends: what `run-syncs.ts` watches. Arguments: the database's file, how many
 * messages, and `together` for all of them at once.
 */
import { systemClock } from '../../src/base/clock.ts';
import { toConversationKey } from '../../src/base/conversation.ts';
import { BUILTIN_CHAT, botId, roomId, userId } from '../../src/base/terms.ts';
import { openSqlite } from '../../src/store/sqlite/sqlite.ts';
import { makeStore } from '../../src/store/store.ts';

const [path = '', count = '0', how] = process.argv.slice(2);
const database = await openSqlite(path, systemClock);
const store = makeStore(database, systemClock, { holder: 'the only one', leaseMs: 60_000 });
const place = { chat: BUILTIN_CHAT, roomId: roomId(1), botId: botId('assistant'), userId: null };

async function accept(index: number): Promise<void> {
  await store.overflow.acceptUnlessFull(
    {
      ...place,
      conversation: toConversationKey(place),
      roomName: 'Room',
      userId: userId(1),
      userName: 'David',
      messageId: String(index),
      text: `message ${index}`,
      receivedAt: systemClock.now(),
    },
    { mostWaiting: null, notice: null, noticedSince: 0 },
  );
}

const indexes = Array.from({ length: Number(count) }, (_, index) => index);
if (how === 'together') await Promise.all(indexes.map(accept));
else for (const index of indexes) await accept(index);
// Not closed: that would sync once more, for all of them.
process.exit(0);
