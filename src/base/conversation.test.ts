import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Conversation, parseConversationKey, toConversationKey } from './conversation.ts';
import { botId, chatName, roomId, userId } from './terms.ts';

const ids = fc.oneof(
  fc.string({ minLength: 1, unit: 'grapheme' }),
  fc.string({ minLength: 1, unit: fc.constantFrom(':', '%', '%3A', '/', '.', ' ', '1', 'ü', '\n') }),
  fc.integer().map(String),
);
const chats = fc.oneof(
  fc.constant('builtin'),
  fc.uuid().map((id) => `campfire:${id}`),
);
const conversations: fc.Arbitrary<Conversation> = fc.record({
  chat: chats.map(chatName),
  roomId: ids.map(roomId),
  botId: ids.map(botId),
  userId: fc.option(ids.map(userId), { nil: null }),
});

describe('a conversation key', () => {
  it.each([
    ['a built-in room', 'builtin', 'lobby', 'helper', null, 'builtin:lobby:helper'],
    ['a Campfire room', 'campfire:7', '2', 'helper', null, 'campfire:7:2:helper'],
    ['one person in a room', 'campfire:7', '2', 'helper', '5', 'campfire:7:2:helper:5'],
    ['a colon in an id', 'builtin', '1:helper', 'x', null, 'builtin:1%3Ahelper:x'],
    ['a percent sign in an id', 'builtin', '1%3Ahelper', 'x', null, 'builtin:1%253Ahelper:x'],
  ])('of %s is readable and exact', (_name, chat, room, bot, user, key) => {
    const conversation: Conversation = {
      chat: chatName(chat),
      roomId: roomId(room),
      botId: botId(bot),
      userId: user === null ? null : userId(user),
    };
    expect(toConversationKey(conversation)).toBe(key);
    expect(parseConversationKey(key)).toEqual(conversation);
  });

  it('gives back the conversation that it was made from, whatever the ids', () => {
    fc.assert(
      fc.property(conversations, (conversation) => {
        expect(parseConversationKey(toConversationKey(conversation))).toEqual(conversation);
      }),
    );
  });

  it('is equal for equal conversations only', () => {
    fc.assert(
      fc.property(conversations, conversations, (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other);
        expect(toConversationKey(one) === toConversationKey(other)).toBe(same);
      }),
    );
  });

  it.each([
    '',
    'builtin',
    'builtin:lobby',
    'builtin::helper',
    'builtin:lobby:',
    ':lobby:helper',
    'builtin:lobby:helper:5:6',
    'builtin:lobby:helper:',
    'campfire:7:2',
    'builtin:%E0%A4%A:helper',
    'builtin:lobby:%',
  ])('is not read from %j', (text) => {
    expect(parseConversationKey(text)).toBeNull();
  });

  it('is never a thrown error, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(':', '%', 'a', '4', 'campfire', 'builtin') }), (text) => {
        const conversation = parseConversationKey(text);
        if (conversation !== null)
          expect(parseConversationKey(toConversationKey(conversation))).toEqual(conversation);
      }),
    );
  });
});
