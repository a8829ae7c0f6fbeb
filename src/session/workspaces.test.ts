import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toConversationKey } from '../base/conversation.ts';
import { botId, chatName, roomId, userId } from '../base/terms.ts';
import { makeWorkspaces, toFolderName } from './workspaces.ts';

describe('workspaces', () => {
  it('gives each conversation a folder of its own under the root', () => {
    const workspaces = makeWorkspaces('/data/workspaces');
    const room = { chat: chatName('campfire:7'), botId: botId('helper'), roomId: roomId(2), userId: null };
    expect(workspaces.pathOf(toConversationKey(room))).toBe('/data/workspaces/campfire%3a7/helper/2');
    expect(workspaces.pathOf(toConversationKey({ ...room, userId: userId(5) }))).toBe(
      '/data/workspaces/campfire%3a7/helper/2@5',
    );
  });

  it('never leaves the root, whatever the ids', () => {
    for (const id of ['.', '..', '../../etc', '/', '', 'a/b', 'x'.repeat(5000), '\u0000', 'ü']) {
      expect(toFolderName(id)).toMatch(/^[A-Za-z0-9_%-]{1,120}$/);
    }
  });

  it('gives different ids different folders', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(toFolderName(a) === toFolderName(b)).toBe(a === b);
      }),
    );
  });
});
