/** Reading a room through Campfire's list endpoint, which the older version does not have. */
import { z } from 'zod';
import type { OwnMessage } from '../chat.ts';
import { type BotKey, messagesPath } from './address.ts';
import { isPage } from './classify.ts';
import type { Answer, Exchange, NoAnswer } from './exchange.ts';

/** Ascending, forty to a page; more fields are there and may come. */
const Page = z.array(
  z.object({
    id: z.number().int(),
    created_at: z.iso.datetime({ offset: true }),
    body: z.object({ plain_text: z.string(), html: z.string() }),
    creator: z.object({ id: z.number().int(), name: z.string(), role: z.string() }),
  }),
);
export type ListedMessage = z.infer<typeof Page>[number];

/**
 * `absent`: Campfire is up and has no such endpoint. `refused`: it has, and does not let this bot read.
 * `unreachable`: it did not answer as it should.
 */
export type PageOutcome = readonly ListedMessage[] | 'absent' | 'refused' | 'unreachable';

/** Ten pages are 400 messages: more than a room gets while a send is unknown. */
export const MOST_PAGES = 10;

/** One page: the newest messages, or those before `before`. */
export async function readPage(
  exchange: Exchange,
  from: {
    readonly room: number;
    readonly key: BotKey;
    readonly before: number | null;
    readonly limitMs: number;
  },
): Promise<PageOutcome> {
  const query = from.before === null ? '' : `?before=${from.before}`;
  const path = messagesPath(from.room, from.key) + query;
  return toPage(await exchange.send({ method: 'GET', path, limitMs: from.limitMs }));
}

/**
 * The bot's own messages after `afterId`, oldest first. Pages are read from the newest back until that id is passed:
 * what a send may have left is among the newest, and a cursor that was deleted meanwhile cannot mislead (Campfire answers
 * 404 to `after` then).
 */
export async function readOwnFromList(
  exchange: Exchange,
  from: {
    readonly room: number;
    readonly key: BotKey;
    readonly afterId: number | null;
    readonly limitMs: number;
  },
): Promise<readonly OwnMessage[] | Extract<PageOutcome, string>> {
  const own: OwnMessage[] = [];
  let before: number | null = null;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const page: PageOutcome = await readPage(exchange, { ...from, before });
    if (typeof page === 'string') return before === null ? page : 'unreachable';
    own.unshift(...page.filter(isNewOwn).map(toOwnMessage));
    before = page[0]?.id ?? null;
    if (before === null || before <= (from.afterId ?? 0)) break;
  }
  return own;

  function isNewOwn(message: ListedMessage): boolean {
    return message.creator.id === from.key.userId && message.id > (from.afterId ?? 0);
  }
}

function toOwnMessage(message: ListedMessage): OwnMessage {
  return { platformId: String(message.id), plainText: message.body.plain_text };
}

function toPage(answer: Answer | NoAnswer): PageOutcome {
  if (answer.kind === 'no-answer') return 'unreachable';
  if (answer.status === 404 && isPage(answer)) return 'absent';
  if (answer.status >= 300 && answer.status < 500 && answer.status !== 429) return 'refused';
  if (answer.status !== 200 || !answer.whole) return 'unreachable';
  return parsePage(answer.body) ?? 'unreachable';
}

function parsePage(body: string): readonly ListedMessage[] | null {
  try {
    return Page.safeParse(JSON.parse(body)).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
