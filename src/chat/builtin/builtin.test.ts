import { beforeEach, describe, expect, it } from 'vitest';
import { makeFakeClock } from '../../../test/fixtures/fake-clock.ts';
import { botId, roomId, userId } from '../../base/terms.ts';
import type { Chat, RoomMessage, RoomStore } from '../chat.ts';
import { makeBuiltinRoom } from './builtin.ts';

const target = { roomId: roomId('kitchen'), botId: botId('helper') };

/** A room's messages without a database. */
function makeMemoryRooms(): RoomStore & { readonly messages: readonly RoomMessage[] } {
  const messages: RoomMessage[] = [];
  return {
    messages,
    async add(message) {
      const added = { ...message, id: messages.length + 1 };
      messages.push(added);
      return added;
    },
    async list(room, afterId, limit) {
      const all = messages.filter((message) => message.roomId === room && message.id > (afterId ?? 0));
      return afterId === null ? all.slice(-limit) : all.slice(0, limit);
    },
  };
}

describe('the built-in room', () => {
  let store: ReturnType<typeof makeMemoryRooms>;
  let chat: Chat;
  const clock = makeFakeClock();
  beforeEach(() => {
    store = makeMemoryRooms();
    chat = makeBuiltinRoom({ store, botName: (bot) => `The ${bot}`, clock });
  });

  it('keeps a reply as the HTML that the page shows, with addresses linked', async () => {
    expect(await chat.send(target, 'Map<K, V> at https://e.com\n**now**')).toEqual({
      kind: 'sent',
      platformId: '1',
    });
    expect(store.messages).toEqual([
      {
        id: 1,
        roomId: 'kitchen',
        author: { id: 'helper', name: 'The helper', isBot: true },
        html: '<p>Map&lt;K, V&gt; at <a href="https://e.com">https://e.com</a><br><strong>now</strong></p>',
        plainText: 'Map<K, V> at https://e.com\nnow',
        createdAt: clock.now(),
      },
    ]);
    expect(chat.plainText('Map<K, V> at https://e.com\n**now**')).toBe(store.messages[0]?.plainText);
  });

  it('refuses what nobody could see', async () => {
    expect(await chat.send(target, ' \n')).toMatchObject({ kind: 'refused', reason: 'rejected' });
    expect(store.messages).toEqual([]);
  });

  it('gives a bot its own messages after the last known one, oldest first', async () => {
    for (const text of ['one', 'two', 'three']) await chat.send(target, text);
    await chat.send({ ...target, botId: botId('other') }, 'not mine');
    await chat.send({ ...target, roomId: roomId('hall') }, 'elsewhere');
    await store.add({
      roomId: target.roomId,
      author: { id: 'helper', name: 'A person of that id', isBot: false },
      html: 'x',
      plainText: 'x',
      createdAt: 0,
    });
    expect(await chat.readOwn(target, '1')).toEqual([
      { platformId: '2', plainText: 'two' },
      { platformId: '3', plainText: 'three' },
    ]);
    expect(await chat.readOwn(target, null)).toHaveLength(3);
  });

  it('is written to by people only', async () => {
    expect(await chat.isBot(target, userId('anyone'))).toBe(false);
  });
});
