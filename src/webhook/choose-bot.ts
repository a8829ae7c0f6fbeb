import { botId } from '../base/terms.ts';
import type { Bot, Bots } from '../bots/bots.ts';
import type { RefusalCode } from './refusals.ts';

/** What a webhook says about the bot that it is for. */
export type Asked = {
  /** `/webhook/:botId`; empty counts as not given. */
  readonly path: string | undefined;
  /** `?bot_id=` */
  readonly query: string | undefined;
  /** Who owns the key in `room.path`. */
  readonly keyOwner: Bot | null;
  /** `BOT_KEY` */
  readonly envBotKey: string | null;
};

/** By path, then query, then the key in `room.path`, then `BOT_KEY`, then the bot marked default. */
export function chooseBot(asked: Asked, bots: Bots): Bot | RefusalCode {
  const named = asked.path || asked.query;
  if (named) return bots.get(botId(named)) ?? 'unknown_bot';
  if (asked.keyOwner !== null) return asked.keyOwner;
  const fromEnv = asked.envBotKey === null ? null : bots.byKey(asked.envBotKey);
  return fromEnv ?? bots.default() ?? 'no_default_bot';
}
