import { createHash } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseConversationKey } from '../base/conversation.ts';
import { toError } from '../base/errors.ts';
import { toLegacyRoomId } from '../base/legacy-room-id.ts';
import { toLocalTime } from '../base/local-time.ts';
import type { BotId, ConversationKey, RoomId } from '../base/terms.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { SessionRecord, SessionRecords } from './session.ts';

/** `SESSION_CACHE_DIR`: the predecessor's `session_{room}_{bot}.json`, one for each conversation that has a session. */
export type CacheFiles = {
  /**
   * The conversation settled a turn or was forgotten: its file is written, or removed, in a moment. Never throws and
   * never waits; a file that cannot be written is told once, until one can.
   */
  changed(conversation: ConversationKey): void;
  /** Resolves when everything said so far is on disk. */
  close(): Promise<void>;
};

export type CacheFilesDeps = {
  readonly dir: string;
  readonly records: Pick<SessionRecords, 'current'>;
  /** IANA name of the zone whose local time stands in the files. */
  readonly timeZone: string;
  readonly log: Log;
};

/** Conversations that wait for their file; the oldest is left out beyond, and written after its next turn. */
const MOST_WAITING = 10_000;

export function makeCacheFiles(deps: CacheFilesDeps): CacheFiles {
  const { dir, records, timeZone, log } = deps;
  const waiting = new Set<ConversationKey>();
  let writing: Promise<void> | null = null;
  let failing = false;

  async function writeAll(): Promise<void> {
    await mkdir(dir, { recursive: true }).catch(tell);
    for (const conversation of waiting) {
      waiting.delete(conversation);
      await update(conversation).then(() => {
        failing = false;
      }, tell);
    }
    // In the same breath as the last look: what changes now begins the next run.
    writing = null;
  }

  /** The file shows the record as it is when it is written, so that several changes need one write. */
  async function update(conversation: ConversationKey): Promise<void> {
    const place = placeOf(conversation);
    if (place === null) return;
    const file = join(dir, place.fileName);
    const record = await records.current(conversation);
    if (record === null) return rm(file, { force: true });
    if (record.state !== 'active') return;
    await writeWhole(file, `${JSON.stringify(toFields(record, place, timeZone), null, 2)}\n`);
  }

  function tell(thrown: unknown): void {
    if (!failing) log.warn({ error: toError(thrown).message }, 'SESSION_CACHE_DIR cannot be written');
    failing = true;
  }

  return {
    changed(conversation) {
      waiting.add(conversation);
      const [oldest] = waiting;
      if (waiting.size > MOST_WAITING && oldest !== undefined) waiting.delete(oldest);
      writing ??= writeAll();
    },

    async close() {
      await writing;
    },
  };
}

/** Whoever reads the file sees the old text or the new one, never half of one. */
async function writeWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(draft, text);
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

type Place = { readonly roomId: RoomId; readonly botId: BotId; readonly fileName: string };

/** Null where each person has an own conversation: the file has no field for whose it is. */
function placeOf(key: ConversationKey): Place | null {
  const conversation = parseConversationKey(key);
  if (conversation === null || conversation.userId !== null) return null;
  const { roomId, botId } = conversation;
  return { roomId, botId, fileName: cacheFileName(roomId, botId) };
}

/**
 * The predecessor's own name for usual ids; anything else in an id is written by its bytes. A room's own `_` too, so
 * that no two conversations share a file.
 */
export function cacheFileName(room: RoomId, bot: BotId): string {
  return `session_${toNamePart(room, /[^A-Za-z0-9.-]/gu)}_${toNamePart(bot, /[^A-Za-z0-9._-]/gu)}.json`;
}

const MOST_CHARACTERS = 100;

function toNamePart(id: string, unsafe: RegExp): string {
  const safe = id.replace(unsafe, (character) => `%${Buffer.from(character).toString('hex')}`);
  return safe.length <= MOST_CHARACTERS ? safe : `%${createHash('sha256').update(id).digest('hex')}`;
}

function toFields(record: SessionRecord, { roomId, botId }: Place, timeZone: string) {
  return {
    session_id: record.sessionId,
    room_id: toLegacyRoomId(roomId),
    bot_id: botId,
    last_used: toLocalTime(record.lastUsedAt, timeZone),
    created_at: toLocalTime(record.createdAt, timeZone),
  };
}
