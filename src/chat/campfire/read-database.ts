/**
 * Reading Campfire's own SQLite file where it stands beside us. It is Campfire's format and none of our tables, so it
 * lives here with the rest of Campfire's formats: the one exception to "SQL only in store/".
 *
 * Opened read-only for each question and closed at once: Campfire may be restored or replaced under its path, and a
 * long reader would hold up its checkpoints. Its `bot_token` and other secrets are never selected.
 */
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { Instant } from '../../base/terms.ts';
import type { HeardMessage, OwnMessage } from '../chat.ts';
import { toPlainText } from '../plain-text.ts';
import { BOT_ROLE, readHeard } from './read-heard.ts';

const MOST_MESSAGES = 400;

export type CampfireDatabase = {
  /** The user's messages in the room after `afterId`, oldest first, the newest 400 at most; null: not readable now. */
  messagesOf(from: {
    readonly room: number;
    readonly userId: number;
    readonly afterId: number | null;
  }): readonly OwnMessage[] | null;
  /** As `Chat.heard` says; null: not readable now. */
  heardBy(userId: number, since: Instant): readonly HeardMessage[] | null;
  /** Null when there is no such user or the file is not readable now. */
  isBot(userId: number): boolean | null;
  isAdministrator(userId: number): boolean | null;
};

const MessageRow = z.object({ id: z.number(), words: z.string().nullable(), html: z.string().nullable() });
/** `users.role` of whoever may change people, rooms and bots. */
const ADMINISTRATOR_ROLE = 1;
const UserRow = z.object({ role: z.number() });

/** `onUnreadable` hears SQLite's code and message when the file cannot be opened or is not Campfire's. */
export function makeCampfireDatabase(path: string, onUnreadable: (reason: string) => void): CampfireDatabase {
  function ask<Result>(question: (database: DatabaseSync) => Result): Result | null {
    try {
      using database = new DatabaseSync(path, { readOnly: true });
      return question(database);
    } catch (error) {
      if (!isSqliteError(error)) throw error;
      onUnreadable(error.message);
      return null;
    }
  }

  function hasRole(userId: number, role: number): boolean | null {
    return ask((database) => {
      const row = database.prepare('SELECT role FROM users WHERE id = ?').get(userId);
      return row === undefined ? null : UserRow.parse(row).role === role;
    });
  }

  return {
    messagesOf: ({ room, userId, afterId }) =>
      ask((database) =>
        database
          .prepare(
            `SELECT m.id AS id, i.body AS words, r.body AS html
             FROM messages m
             LEFT JOIN message_search_index i ON i.rowid = m.id
             LEFT JOIN action_text_rich_texts r
               ON r.record_type = 'Message' AND r.record_id = m.id AND r.name = 'body'
             WHERE m.room_id = ? AND m.creator_id = ? AND m.id > ?
             ORDER BY m.id DESC LIMIT ?`,
          )
          .all(room, userId, afterId ?? 0, MOST_MESSAGES)
          .map((row) => MessageRow.parse(row))
          // The search index is written after the message and may be missing when Campfire died between the two.
          .map(({ id, words, html }) => ({
            platformId: String(id),
            plainText: words ?? toPlainText(html ?? ''),
          }))
          .reverse(),
      ),

    heardBy: (userId, since) => ask((database) => readHeard(database, userId, since)),

    isBot: (userId) => hasRole(userId, BOT_ROLE),
    isAdministrator: (userId) => hasRole(userId, ADMINISTRATOR_ROLE),
  };
}

function isSqliteError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR';
}
