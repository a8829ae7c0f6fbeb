import { describe, expect, it } from 'vitest';
import { parsePayload } from './payload.ts';

const CAMPFIRE = {
  user: { id: 2, name: 'Kevin' },
  room: { id: 7, name: 'HQ', path: '/rooms/7/3-secret/messages' },
  message: { id: 9, body: { plain: 'hello', html: null }, path: '/rooms/7/@9' },
};
const FLAT = { creator: { id: 'u-1', name: 'Cron' }, room: { id: 'lobby', name: 'Lobby' }, content: 'hello' };

describe('parsePayload', () => {
  it("reads Campfire's shape", () => {
    expect(parsePayload(CAMPFIRE)).toEqual({
      shape: 'campfire',
      userId: '2',
      userName: 'Kevin',
      roomId: '7',
      roomName: 'HQ',
      key: '3-secret',
      messageId: '9',
      text: 'hello',
    });
  });

  it('reads the flat shape', () => {
    expect(parsePayload({ ...FLAT, id: 12 })).toEqual({
      shape: 'flat',
      userId: 'u-1',
      userName: 'Cron',
      roomId: 'lobby',
      roomName: 'Lobby',
      key: null,
      messageId: '12',
      text: 'hello',
    });
  });

  it.each([
    ['both shapes at once are Campfire’s', { ...FLAT, ...CAMPFIRE }, { shape: 'campfire', userId: '2' }],
    [
      'the flat shape may say user',
      { user: FLAT.creator, room: FLAT.room, content: 'x' },
      { shape: 'flat', userId: 'u-1' },
    ],
    ['an explicit creator wins over a user', { ...FLAT, user: CAMPFIRE.user }, { userId: 'u-1' }],
    ['a flat message may have no id', FLAT, { messageId: null }],
    [
      'a room without a name is direct',
      { ...CAMPFIRE, room: { id: 7, name: null, path: CAMPFIRE.room.path } },
      { roomName: null },
    ],
    ['a missing room name is direct too', { ...FLAT, room: { id: 1 } }, { roomName: null }],
    [
      "a path that is not Campfire's holds no key",
      { ...CAMPFIRE, room: { id: 7, name: 'HQ', path: '/rooms/7' } },
      { key: null },
    ],
    ['an empty text is a message', { ...CAMPFIRE, message: { id: 1, body: { plain: '' } } }, { text: '' }],
    [
      'unknown fields do not matter',
      { ...FLAT, room: { ...FLAT.room, colour: 'red' }, extra: [] },
      { roomId: 'lobby' },
    ],
  ])('%s', (_title, body, expected) => {
    expect(parsePayload(body)).toMatchObject(expected);
  });

  it.each([
    ['a text', 'x', 'not_an_object'],
    ['null', null, 'not_an_object'],
    ['a list', [CAMPFIRE], 'not_an_object'],
    ['nothing', undefined, 'not_an_object'],
    ['an empty object', {}, 'invalid_fields'],
    ['a missing author', { ...CAMPFIRE, user: undefined }, 'invalid_fields'],
    ['a missing author name', { ...CAMPFIRE, user: { id: 2 } }, 'invalid_fields'],
    ['a missing room', { ...FLAT, room: undefined }, 'invalid_fields'],
    ['a message that is a text', { ...CAMPFIRE, message: 'hello' }, 'invalid_fields'],
    ['a text that is a number', { ...FLAT, content: 5 }, 'invalid_fields'],
    ['a text that is null', { ...CAMPFIRE, message: { id: 1, body: { plain: null } } }, 'invalid_fields'],
    ['an id that is an object', { ...FLAT, room: { id: {}, name: 'x' } }, 'invalid_fields'],
    ['an id that is true', { ...FLAT, creator: { id: true, name: 'x' } }, 'invalid_fields'],
    ['an id that is a fraction', { ...FLAT, room: { id: 1.5, name: 'x' } }, 'invalid_fields'],
    ['a number too big to be exact', { ...FLAT, room: { id: 2 ** 60, name: 'x' } }, 'invalid_fields'],
    ['an empty id', { ...FLAT, room: { id: '', name: 'x' } }, 'invalid_fields'],
    ['an id longer than 200', { ...FLAT, room: { id: 'x'.repeat(201), name: 'x' } }, 'invalid_fields'],
    ['an id with a NUL', { ...FLAT, room: { id: 'a\0', name: 'x' } }, 'invalid_fields'],
    ['an id with half a surrogate pair', { ...FLAT, room: { id: '\ud800', name: 'x' } }, 'invalid_fields'],
    ['a path of another room', { ...CAMPFIRE, room: { ...CAMPFIRE.room, id: 8 } }, 'room_mismatch'],
  ])('refuses %s', (_title, body, code) => {
    expect(parsePayload(body)).toBe(code);
  });
});
