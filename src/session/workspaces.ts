import { createHash } from 'node:crypto';
import { mkdir, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseConversationKey } from '../base/conversation.ts';
import type { ConversationKey } from '../base/terms.ts';

/** Longest folder name that every file system takes, with room to spare. */
const MOST_CHARACTERS = 120;

/** Where a workspace holds texts that were too long to be given whole; the newest of them stay. */
const TEXTS = 'messages';
const MOST_TEXTS = 20;

export type Workspaces = {
  /** `<root>/<chat>/<bot>/<room>[@<user>]`: no conversation's folder lies inside another's. */
  pathOf(conversation: ConversationKey): string;
  /**
   * Keeps a text as a file in the conversation's folder; its path from there, or null when it cannot be written. What an
   * agent has made of that folder leads nowhere else.
   */
  saveText(conversation: ConversationKey, id: number, text: string): Promise<string | null>;
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

    async saveText(conversation, id, text) {
      try {
        const folder = await makeTextsFolder(pathOf(conversation));
        if (folder === null) return null;
        const name = `${id}.txt`;
        await rm(join(folder, name), { force: true });
        // `wx` follows no link and opens nothing that stands there.
        await writeFile(join(folder, name), text, { mode: 0o600, flag: 'wx' });
        await removeOldest(folder);
        return `${TEXTS}/${name}`;
      } catch (error) {
        if (error instanceof Error && 'code' in error) return null;
        throw error;
      }
    },

    delete: (conversation) => rm(pathOf(conversation), { recursive: true, force: true }),
  };
}

/** Null when it stands elsewhere: an agent that writes in its workspace may have put a link there. */
async function makeTextsFolder(workspace: string): Promise<string | null> {
  const folder = join(workspace, TEXTS);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const real = await realpath(folder);
  return real === join(await realpath(workspace), TEXTS) ? real : null;
}

async function removeOldest(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => /^\d+\.txt$/.test(name));
  const oldest = names.sort((one, other) => Number.parseInt(other, 10) - Number.parseInt(one, 10));
  for (const name of oldest.slice(MOST_TEXTS)) await rm(join(folder, name), { force: true });
}

/** An opaque id as one folder name: never `.`, `..`, empty, a separator, or the same as another id's. */
export function toFolderName(id: string): string {
  const safe = id.replace(/[^A-Za-z0-9_-]/gu, (character) => `%${Buffer.from(character).toString('hex')}`);
  if (safe.length > 0 && safe.length <= MOST_CHARACTERS) return safe;
  return `%${createHash('sha256').update(id).digest('hex')}`;
}
