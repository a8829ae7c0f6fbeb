import { afterEach, beforeEach, expect, test } from 'vitest';
import { botId, chatName, roomId } from '../../src/base/terms.ts';
import type { RoomMessage } from '../../src/chat/chat.ts';
import { BOT, CHAT } from './rows.ts';
import type { MakeStoreUnderTest, StoreUnderTest } from './store-under-test.ts';

export function smallStoresContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(() => under.close());

  function say(room: number, text: string): Promise<RoomMessage> {
    return under.store.roomMessages.add({
      roomId: roomId(room),
      author: { id: '7', name: 'Jane', isBot: false },
      html: `<p>${text}</p>`,
      plainText: text,
      createdAt: 1_000,
    });
  }

  test('the built-in room lists its newest messages, or those after one, oldest first', async () => {
    const { roomMessages } = under.store;
    const said = [await say(1, 'a'), await say(1, 'b'), await say(1, 'c')];
    await say(2, 'elsewhere');
    const room = roomId(1);
    expect(await roomMessages.list(room, null, 10)).toEqual(said);
    expect(await roomMessages.list(room, null, 2)).toEqual(said.slice(1));
    expect(await roomMessages.list(room, said[0]!.id, 1)).toEqual([said[1]]);
    expect(await roomMessages.list(room, said[2]!.id, 10)).toEqual([]);
  });

  test('the built-in room tells bots from people', async () => {
    const { roomMessages } = under.store;
    const message = { author: { id: 'helper', name: 'Helper', isBot: true }, html: '', plainText: '' };
    await roomMessages.add({ ...message, roomId: roomId(1), createdAt: 1 });
    expect((await roomMessages.list(roomId(1), null, 1))[0]?.author.isBot).toBe(true);
  });

  test('a learned bot key is kept for its chat and bot, and a new one replaces it', async () => {
    const { botKeys } = under.store;
    expect(await botKeys.learned(CHAT, BOT)).toBeNull();
    await botKeys.learn(CHAT, BOT, '1-old');
    await botKeys.learn(CHAT, BOT, '1-new');
    await botKeys.learn(CHAT, BOT, '1-new');
    expect(await botKeys.learned(CHAT, BOT)).toBe('1-new');
    expect(await botKeys.learned(CHAT, botId('other'))).toBeNull();
    expect(await botKeys.learned(chatName('builtin'), BOT)).toBeNull();
  });

  test('the rooms of a bot are kept with their names, the newest first', async () => {
    const { botRooms } = under.store;
    const note = (room: number, roomName: string | null) =>
      botRooms.note(CHAT, BOT, { roomId: roomId(room), roomName });
    await note(1, 'Lounge');
    await under.clock.advance(1);
    await note(2, null);
    await note(1, 'Lounge');
    await note(1, 'Salon');
    expect(await botRooms.of(CHAT, BOT, 10)).toEqual([
      { roomId: '2', roomName: null },
      { roomId: '1', roomName: 'Salon' },
    ]);
    expect(await botRooms.of(CHAT, BOT, 1)).toHaveLength(1);
    expect(await botRooms.of(CHAT, botId('other'), 10)).toEqual([]);
    // Back to a name that it had before.
    await note(1, 'Lounge');
    expect((await botRooms.of(CHAT, BOT, 10)).at(-1)).toEqual({ roomId: '1', roomName: 'Lounge' });
  });

  test('the rooms of a bot are those of its own chat, whatever others are called there', async () => {
    const { botRooms } = under.store;
    const lounge = { roomId: roomId(1), roomName: 'Lounge' };
    const places = [
      [CHAT, BOT],
      [chatName('campfire:def'), BOT],
      [CHAT, botId('other')],
    ] as const;
    for (const [chat, bot] of places) await botRooms.note(chat, bot, lounge);
    await botRooms.note(CHAT, BOT, { ...lounge, roomId: roomId(2) });
    for (const [chat, bot] of places.slice(1)) expect(await botRooms.of(chat, bot, 10)).toEqual([lounge]);
    expect(await botRooms.of(CHAT, BOT, 10)).toHaveLength(2);
  });

  test('meta keeps what was set, and whoever asks first decides for all', async () => {
    const { meta } = under.store;
    expect(await meta.get('owner')).toBeNull();
    const made = await Promise.all(['a', 'b', 'c'].map((id) => meta.getOrCreate('owner', () => id)));
    expect(made).toEqual(['a', 'a', 'a']);
    await meta.set('owner', 'd');
    await meta.set('other', 'e');
    expect(await meta.get('owner')).toBe('d');
    expect(await meta.getOrCreate('owner', () => 'f')).toBe('d');
  });
}
