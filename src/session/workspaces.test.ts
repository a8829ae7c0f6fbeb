import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeTempFolder } from '../../test/setup/temp.ts';
import { toConversationKey } from '../base/conversation.ts';
import { botId, chatName, roomId, userId } from '../base/terms.ts';
import { makeWorkspaces, toFolderName, type Workspaces } from './workspaces.ts';

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

describe('a text that is kept in a workspace', () => {
  const key = toConversationKey({
    chat: chatName('campfire:7'),
    botId: botId('helper'),
    roomId: roomId('../../2'),
    userId: null,
  });
  let root: string;
  let workspaces: Workspaces;
  beforeEach(() => {
    root = makeTempFolder();
    workspaces = makeWorkspaces(join(root, 'workspaces'));
  });

  it('is a file that only the server and its agents read, and stands for its last attempt', async () => {
    await workspaces.saveText(key, 7, 'first attempt');
    expect(await workspaces.saveText(key, 7, 'all of it')).toBe('messages/7.txt');
    const file = join(workspaces.pathOf(key), 'messages/7.txt');
    expect(readFileSync(file, 'utf8')).toBe('all of it');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('is one of the newest twenty', async () => {
    for (let id = 95; id <= 120; id += 1) await workspaces.saveText(key, id, 'text');
    const names = readdirSync(join(workspaces.pathOf(key), 'messages'));
    expect(names.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, n) => 101 + n),
    );
  });

  it('is written nowhere else, whatever links an agent has left there', async () => {
    const outside = join(root, 'outside');
    mkdirSync(outside);
    mkdirSync(workspaces.pathOf(key), { recursive: true });
    symlinkSync(outside, join(workspaces.pathOf(key), 'messages'));
    expect(await workspaces.saveText(key, 7, 'secret')).toBeNull();
    expect(readdirSync(outside)).toEqual([]);
  });

  it('replaces a link in its own place and leaves alone what that pointed to', async () => {
    const target = join(root, 'target');
    writeFileSync(target, 'mine');
    mkdirSync(join(workspaces.pathOf(key), 'messages'), { recursive: true });
    symlinkSync(target, join(workspaces.pathOf(key), 'messages/7.txt'));
    expect(await workspaces.saveText(key, 7, 'text')).toBe('messages/7.txt');
    expect(readFileSync(target, 'utf8')).toBe('mine');
  });

  it('is none where nothing can be written', async () => {
    writeFileSync(join(root, 'workspaces'), 'a file');
    expect(await workspaces.saveText(key, 7, 'text')).toBeNull();
  });

  it('goes with its conversation', async () => {
    await workspaces.saveText(key, 7, 'text');
    await workspaces.delete(key);
    expect(existsSync(workspaces.pathOf(key))).toBe(false);
  });
});
