import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseConversationKey } from '../base/conversation.ts';
import type { ConversationKey } from '../base/terms.ts';

/** Longest folder name that every file system takes, with room to spare. */
const MOST_CHARACTERS = 120;

export type Workspaces = {
  /** `<root>/<chat>/<bot>/<room>[@<user>]`: no conversation's folder lies inside another's. */
  pathOf(conversation: ConversationKey): string;
  delete(conversation: ConversationKey): Promise<void>;
};

export function makeWorkspaces(root: string): Workspaces {
  function pathOf(key: ConversationKey): string {
    const conversation = parseConversationKey(key);
    if (conversation === null) throw new Error('a conversation key that does not parse has no workspace');
    const { chat, botId, roomId, userId } = conversation;
    const room = userId === null ? toFolderName(roomId) : `${toFolderName(roomId)}@${toFolderName(userId)}`;
    return join(root, toFolderName(chat), toFolderName(botId), room);
  }
  return {
    pathOf,
    delete: (conversation) => rm(pathOf(conversation), { recursive: true, force: true }),
  };
}

/** An opaque id as one folder name: never `.`, `..`, empty, a separator, or the same as another id's. */
export function toFolderName(id: string): string {
  const safe = id.replace(/[^A-Za-z0-9_-]/gu, (character) => `%${Buffer.from(character).toString('hex')}`);
  if (safe.length > 0 && safe.length <= MOST_CHARACTERS) return safe;
  return `%${createHash('sha256').update(id).digest('hex')}`;
}
