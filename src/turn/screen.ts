import type { Instant } from '../base/terms.ts';
import type { Bot } from '../bots/bots.ts';
import type { IgnoreReason, InboxMessage } from '../inbox/inbox.ts';

export type Screening =
  | { readonly kind: 'run' }
  | { readonly kind: 'ignore'; readonly reason: IgnoreReason }
  /** Ends without the model: `help` for a mention without text, `overloaded` for one that waited too long. */
  | { readonly kind: 'notice'; readonly notice: 'help' | 'overloaded' };

export type ScreeningFacts = {
  readonly message: Pick<InboxMessage, 'text' | 'userId' | 'roomId' | 'acceptedAt'>;
  readonly bot: Pick<Bot, 'allowBots' | 'allowedRooms' | 'allowedUsers'>;
  /** The author is a bot; null when nothing readable says so. */
  readonly authorIsBot: boolean | null;
  /** Turns of other bots in this room: in a row since a person wrote, and within the last hour. */
  readonly botTurns: { readonly inARow: number; readonly lastHour: number };
  readonly now: Instant;
  readonly maxAgeMs: number;
};

/** The loop breaker: more bot-started turns than these in a room and the rest are ignored until a person writes. */
const MOST_BOT_TURNS = { inARow: 3, anHour: 20 } as const;

/** What to do with the next message before any process is asked. Pure. */
export function screen(facts: ScreeningFacts): Screening {
  const { message, bot } = facts;
  if (facts.authorIsBot === true && !mayAnswerBot(facts)) return { kind: 'ignore', reason: 'bot' };
  if (bot.allowedRooms !== null && !bot.allowedRooms.has(message.roomId))
    return { kind: 'ignore', reason: 'not_allowed' };
  if (bot.allowedUsers !== null && !bot.allowedUsers.has(message.userId))
    return { kind: 'ignore', reason: 'not_allowed' };
  if (facts.now - message.acceptedAt > facts.maxAgeMs) return { kind: 'notice', notice: 'overloaded' };
  if (message.text.trim() === '') return { kind: 'notice', notice: 'help' };
  return { kind: 'run' };
}

function mayAnswerBot(facts: ScreeningFacts): boolean {
  return (
    facts.bot.allowBots &&
    facts.botTurns.inARow < MOST_BOT_TURNS.inARow &&
    facts.botTurns.lastHour < MOST_BOT_TURNS.anHour
  );
}
