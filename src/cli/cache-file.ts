/** The predecessor's `session_<room>_<bot>.json`; `session/cache-files.ts` writes the same five fields. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { toError } from '../base/errors.ts';
import { fromLocalTime } from '../base/local-time.ts';
import type { Instant, SessionId } from '../base/terms.ts';
import { CommandFailed } from './command.ts';

const MOST_FILES = 100_000;

/** The session files of a folder, in the order of their names. */
export async function listCacheFiles(dir: string): Promise<readonly string[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    throw new CommandFailed('unreadable', `${dir} cannot be read: ${toError(error).message}`);
  });
  const files = names.filter((name) => /^session_.+\.json$/.test(name)).sort();
  if (files.length === 0) throw new CommandFailed('nothing_found', `there is no session_*.json in ${dir}`);
  if (files.length > MOST_FILES) throw new CommandFailed('too_many', `${dir} holds over ${MOST_FILES} files`);
  return files.map((name) => join(dir, name));
}

const text = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,200}$/u);
const fields = z.object({
  session_id: z.uuid().transform((id) => id.toLowerCase()),
  room_id: z.union([text, z.int().transform(String)]),
  bot_id: text,
  last_used: z.string(),
  created_at: z.string(),
});

export type CacheFile = {
  readonly sessionId: SessionId;
  readonly roomId: string;
  readonly botId: string;
  readonly lastUsedAt: Instant;
  readonly createdAt: Instant;
};

/** What the file says, or what is wrong with it. */
export async function readCacheFile(path: string, timeZone: string): Promise<CacheFile | string> {
  const parsed = fields.safeParse(await readJson(path));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return issue?.path.length ? `${issue.path.join('.')}: ${issue.message}` : 'it is no JSON object';
  }
  const { session_id, room_id, bot_id, last_used, created_at } = parsed.data;
  const lastUsedAt = fromLocalTime(last_used, timeZone);
  const createdAt = fromLocalTime(created_at, timeZone);
  if (lastUsedAt === null || createdAt === null) return 'last_used or created_at is no time';
  return { sessionId: session_id as SessionId, roomId: room_id, botId: bot_id, lastUsedAt, createdAt };
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return null;
  }
}
