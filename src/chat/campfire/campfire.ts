/** Campfire as a chat: posts through its bot API, read back through its list endpoint or its database. */
import type { Clock } from '../../base/clock.ts';
import type { BotId, ChatName, Instant, UserId } from '../../base/terms.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { Chat, OwnMessage, ReplyTarget, SendOutcome } from '../chat.ts';
import { toPlainText } from '../plain-text.ts';
import { renderReply } from '../render.ts';
import { type BotKey, messagesPath, parseBotKey, parseNumber } from './address.ts';
import { classifyPost, ERROR_PAGE } from './classify.ts';
import { type Answer, makeExchange, type NoAnswer } from './exchange.ts';
import { hear } from './hear.ts';
import { makeCampfireDatabase } from './read-database.ts';
import { type ListedMessage, readOwnFromList, readPage } from './read-list.ts';

/** Campfire stores, indexes and tells everyone before it answers; on a small machine under load that takes seconds. */
const POST_LIMIT_MS = 30_000;
const READ_LIMIT_MS = 10_000;
/** A turn waits for this answer. */
const ROLE_LIMIT_MS = 2_000;
/** An error page so long after the last one is a new trouble. */
const ERROR_PAGE_FORGOTTEN_MS = 600_000;
/** How long an older Campfire is taken to be still that one. */
const ABSENT_FOR_MS = 600_000;
const MOST_REMEMBERED = 2_000;

export type CampfireDeps = {
  /** Where Campfire is, with the path that it is under, if any. */
  readonly baseUrl: string;
  readonly name: ChatName;
  /** The bot's key from its file, the environment or an authenticated webhook; null when there is none. */
  keyOf(bot: BotId): Promise<string | null>;
  readonly clock: Clock;
  readonly log: Log;
  /** Campfire's own SQLite file, where it can be read from here. */
  readonly databasePath?: string;
};

export function makeCampfire(deps: CampfireDeps): Chat & { close(): Promise<void> } {
  const { clock } = deps;
  const exchange = makeExchange(deps);
  const database =
    deps.databasePath === undefined
      ? null
      : makeCampfireDatabase(deps.databasePath, (reason) =>
          deps.log.warn({ chat: deps.name, reason }, 'the database of Campfire cannot be read'),
        );
  /** Rooms and bots that have got nothing but error pages of late, and since when. */
  const errorPages = makeBoundedMap<string, { readonly firstAt: Instant; readonly lastAt: Instant }>(
    MOST_REMEMBERED,
  );
  const bots = makeBoundedMap<number, boolean>(MOST_REMEMBERED);
  let noListUntil: Instant = 0;

  async function send(target: ReplyTarget, markdown: string): Promise<SendOutcome> {
    const html = renderReply(markdown);
    if (html === '') return { kind: 'refused', reason: 'rejected', detail: 'nothing to see' };
    const room = parseNumber(target.roomId);
    if (room === null) return { kind: 'refused', reason: 'rejected', detail: 'not a room' };
    const key = await keyFor(target.botId);
    if (key === 'none') return { kind: 'refused', reason: 'no_key', detail: 'the bot has no key' };
    if (key === 'malformed') return { kind: 'refused', reason: 'key_refused', detail: 'not a bot key' };

    const path = messagesPath(room, key);
    const answer = await exchange.send({ method: 'POST', path, html, limitMs: POST_LIMIT_MS });
    return judge(answer, `${room}:${key.userId}`);
  }

  /** `lane`: the room and bot, for which error pages in a row are told from one. */
  function judge(answer: Answer | NoAnswer, lane: string): SendOutcome {
    const now = clock.now();
    const pages = errorPages.get(lane);
    const isRecent = pages !== undefined && now - pages.lastAt < ERROR_PAGE_FORGOTTEN_MS;
    const firstErrorPageAt = isRecent ? pages.firstAt : null;
    const outcome = classifyPost({ answer, firstErrorPageAt, now });
    if (outcome.kind === 'unknown' && outcome.reason === ERROR_PAGE) {
      errorPages.set(lane, { firstAt: firstErrorPageAt ?? now, lastAt: now });
    } else errorPages.delete(lane);
    return outcome;
  }

  async function readOwn(
    target: ReplyTarget,
    afterId: string | null,
  ): Promise<readonly OwnMessage[] | 'unreadable' | 'unreachable'> {
    const room = parseNumber(target.roomId);
    const key = await keyFor(target.botId);
    if (room === null || typeof key === 'string') return 'unreadable';
    const from = { room, key, afterId: afterId === null ? null : parseNumber(afterId) };
    const listed = await readOwnFromList(exchange, { ...from, limitMs: READ_LIMIT_MS });
    if (typeof listed !== 'string') return listed;
    const stored = database?.messagesOf({ ...from, userId: key.userId }) ?? null;
    return stored ?? (listed === 'unreachable' ? 'unreachable' : 'unreadable');
  }

  async function isBot(target: ReplyTarget, author: UserId): Promise<boolean | null> {
    const userId = parseNumber(author);
    if (userId === null) return null;
    const known = bots.get(userId) ?? database?.isBot(userId) ?? null;
    if (known === null) await learnRoles(target);
    else bots.set(userId, known);
    return bots.get(userId) ?? null;
  }

  /** Nobody's role changes to or from bot. */
  async function learnRoles(target: ReplyTarget): Promise<void> {
    for (const { creator } of await readNewest(target)) bots.set(creator.id, creator.role === 'bot');
  }

  /** Asked anew each time: whoever is one today may be none tomorrow. */
  async function isAdministrator(target: ReplyTarget, user: UserId): Promise<boolean | null> {
    const userId = parseNumber(user);
    if (userId === null) return null;
    const stored = database?.isAdministrator(userId) ?? null;
    if (stored !== null) return stored;
    const written = (await readNewest(target)).find(({ creator }) => creator.id === userId);
    return written === undefined ? null : written.creator.role === 'administrator';
  }

  /** The newest page of the room, which holds its latest authors; empty when it cannot be read. */
  async function readNewest(target: ReplyTarget): Promise<readonly ListedMessage[]> {
    const room = parseNumber(target.roomId);
    if (room === null || clock.now() < noListUntil) return [];
    const key = await keyFor(target.botId);
    if (typeof key === 'string') return [];
    const page = await readPage(exchange, { room, key, before: null, limitMs: ROLE_LIMIT_MS });
    if (page === 'absent') noListUntil = clock.now() + ABSENT_FOR_MS;
    return typeof page === 'string' ? [] : page;
  }

  async function keyFor(bot: BotId): Promise<BotKey | 'none' | 'malformed'> {
    const text = await deps.keyOf(bot);
    return text === null ? 'none' : (parseBotKey(text) ?? 'malformed');
  }

  return {
    name: deps.name,
    send,
    plainText: (markdown) => toPlainText(renderReply(markdown)),
    readOwn,
    async heard(question) {
      const key = await keyFor(question.botId);
      // Without a key the bot was never a bot of this Campfire.
      if (typeof key === 'string') return { kind: 'read', messages: [], isWhole: true };
      return hear({ exchange, database }, key, question);
    },
    isBot,
    isAdministrator,
    close: () => exchange.close(),
  };
}

/** Forgets what was set first when it is full. */
function makeBoundedMap<Key, Value>(
  most: number,
): Pick<Map<Key, Value>, 'get' | 'delete'> & {
  set(key: Key, value: Value): void;
} {
  const entries = new Map<Key, Value>();
  return {
    get: (key) => entries.get(key),
    delete: (key) => entries.delete(key),
    set(key, value) {
      entries.delete(key);
      entries.set(key, value);
      for (const oldest of entries.keys()) {
        if (entries.size <= most) return;
        entries.delete(oldest);
      }
    },
  };
}
