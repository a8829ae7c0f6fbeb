import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { conversationIn, recordOf } from '../../test/contract/rows.ts';
import { makeTempFolder } from '../../test/setup/temp.ts';
import { botId, type ConversationKey, roomId } from '../base/terms.ts';
import { makeLog } from '../telemetry/log.ts';
import { type CacheFiles, cacheFileName, makeCacheFiles } from './cache-files.ts';
import type { SessionRecord } from './session.ts';

let dir: string;
let records: Map<ConversationKey, SessionRecord>;
let told: string[];
beforeEach(() => {
  dir = join(makeTempFolder(), 'session_cache');
  records = new Map();
  told = [];
});

function open(): CacheFiles {
  const log = {
    ...makeLog({ level: 'silent', pretty: false }),
    warn: (...said: unknown[]) => told.push(String(said[1])),
  };
  const current = async (conversation: ConversationKey) => records.get(conversation) ?? null;
  return makeCacheFiles({ dir, records: { current }, timeZone: 'Asia/Shanghai', log });
}

/** The record as it is now, and what its file holds then. */
async function write(files: CacheFiles, record: SessionRecord) {
  records.set(record.conversation, record);
  files.changed(record.conversation);
  await files.close();
  return read('session_1_helper.json');
}
const read = (name: string) => JSON.parse(readFileSync(join(dir, name), 'utf8'));

const active = recordOf(1, {
  state: 'active',
  createdAt: Date.UTC(2025, 10, 15, 2),
  lastUsedAt: Date.UTC(2025, 10, 15, 2, 30, 0, 250),
});

describe('a settled turn', () => {
  test('writes the five fields, in local time without a zone', async () => {
    expect(await write(open(), active)).toEqual({
      session_id: active.sessionId,
      room_id: 1,
      bot_id: 'helper',
      last_used: '2025-11-15T10:30:00.250000',
      created_at: '2025-11-15T10:00:00',
    });
    expect(readdirSync(dir)).toEqual(['session_1_helper.json']);
  });

  test('leaves the time of its beginning as it was', async () => {
    const files = open();
    await write(files, active);
    const later = await write(files, { ...active, lastUsedAt: active.lastUsedAt + 60_000 });
    expect(later).toMatchObject({
      created_at: '2025-11-15T10:00:00',
      last_used: '2025-11-15T10:31:00.250000',
    });
  });

  test('several at once end in what is true then', async () => {
    const files = open();
    records.set(active.conversation, active);
    for (let turn = 0; turn < 5; turn++) files.changed(active.conversation);
    records.set(active.conversation, { ...active, sessionId: recordOf(1).sessionId });
    await files.close();
    expect(read('session_1_helper.json').session_id).toBe(records.get(active.conversation)?.sessionId);
  });

  test('of a session that never settled writes nothing', async () => {
    const files = open();
    records.set(active.conversation, { ...active, state: 'provisional' });
    files.changed(active.conversation);
    await files.close();
    expect(readdirSync(dir)).toEqual([]);
  });

  test('in a conversation with one person writes nothing: the predecessor would show it to the room', async () => {
    const files = open();
    const conversation = `${conversationIn(1)}:7` as ConversationKey;
    records.set(conversation, { ...active, conversation });
    files.changed(conversation);
    await files.close();
    expect(readdirSync(dir)).toEqual([]);
  });
});

test('a forgotten conversation has no file', async () => {
  const files = open();
  await write(files, active);
  records.clear();
  files.changed(active.conversation);
  await files.close();
  expect(readdirSync(dir)).toEqual([]);
});

test('what cannot be written is told once, and again after it could', async () => {
  const files = open();
  writeFileSync(dir, 'a file where the folder should be');
  records.set(active.conversation, active);
  for (let turn = 0; turn < 3; turn++) {
    files.changed(active.conversation);
    await files.close();
  }
  expect(told).toEqual(['SESSION_CACHE_DIR cannot be written']);
});

test('a write that fails half-way leaves nothing of it', async () => {
  const files = open();
  // A folder cannot be replaced by the file.
  mkdirSync(join(dir, 'session_1_helper.json'), { recursive: true });
  records.set(active.conversation, active);
  files.changed(active.conversation);
  await files.close();
  expect(told).toHaveLength(1);
  expect(readdirSync(dir)).toEqual(['session_1_helper.json']);
});

describe('the name of a file', () => {
  test.each([
    ['7', 'helper', 'session_7_helper.json'],
    ['7', 'front_desk.v2', 'session_7_front_desk.v2.json'],
    ['1_a', 'b', 'session_1%5fa_b.json'],
    ['1', 'a_b', 'session_1_a_b.json'],
    ['../../etc', 'x/y', 'session_..%2f..%2fetc_x%2fy.json'],
    ['a\0b', '.', 'session_a%00b_..json'],
  ])('of room %j and bot %j is %s', (room, bot, name) => {
    expect(cacheFileName(roomId(room), botId(bot))).toBe(name);
  });

  test('is short enough for every file system', () => {
    expect(cacheFileName(roomId('ü'.repeat(200)), botId('b'.repeat(200))).length).toBeLessThan(200);
  });
});
