import { makeSecretMatcher } from '../base/secret.ts';
import type { BotId, ChatName } from '../base/terms.ts';
import type { Bot, Bots } from '../bots/bots.ts';
import type { BotKeys } from '../chat/chat.ts';
import type { RefusalCode } from './refusals.ts';

/** The bot keys of authenticated webhooks: whose they are, and what is learned from them. */
export type Keyring = {
  /** The bot that a key belongs to: a configured one first, then a learned one. Rejects when the database does. */
  owner(key: string): Promise<Bot | null>;
  /**
   * Checks the key of a payload for the bot that it chose, and keeps it when the bot has none configured (a changed
   * one replaces it: somebody reset it in Campfire). `required`: the payload must carry one. Rejects when the database
   * does.
   */
  check(bot: Bot, key: string | null, required: boolean): Promise<'good' | RefusalCode>;
};

export type KeyFacts = {
  /** Null: the bot's file and the environment name none. */
  readonly configured: 'equal' | 'different' | null;
  readonly given: boolean;
  /** The payload's key is configured for another bot. */
  readonly belongsToAnother: boolean;
  readonly required: boolean;
};

export function decideKey(facts: KeyFacts): 'good' | 'learn' | RefusalCode {
  if (!facts.given) return facts.required && facts.configured !== null ? 'key_missing' : 'good';
  if (facts.configured === 'equal') return 'good';
  if (facts.belongsToAnother) return 'foreign_key';
  return facts.configured === null ? 'learn' : 'wrong_key';
}

export function makeKeyring(deps: {
  readonly chat: ChatName;
  readonly bots: Bots;
  readonly botKeys: BotKeys;
}): Keyring {
  const { chat, bots, botKeys } = deps;
  /** One entry per bot without a configured key; null: none learned yet. We are the only writer. */
  const cache = new Map<BotId, string | null>();

  async function learned(bot: Bot): Promise<string | null> {
    const known = cache.get(bot.id);
    if (known !== undefined) return known;
    const stored = await botKeys.learned(chat, bot.id);
    cache.set(bot.id, stored);
    return stored;
  }

  return {
    async owner(key) {
      const configured = bots.byKey(key);
      if (configured !== null) return configured;
      const matches = makeSecretMatcher(key);
      for (const bot of bots.all()) {
        if (bot.key !== null) continue;
        const stored = await learned(bot);
        if (stored !== null && matches(stored)) return bot;
      }
      return null;
    },

    async check(bot, key, required) {
      const configured = compare(bot.key, key);
      const holder = key === null || configured === 'equal' ? null : bots.byKey(key);
      const decision = decideKey({
        configured,
        given: key !== null,
        belongsToAnother: holder !== null && holder.id !== bot.id,
        required,
      });
      if (decision !== 'learn' || key === null) return decision === 'learn' ? 'good' : decision;
      if (compare(await learned(bot), key) === 'equal') return 'good';
      await botKeys.learn(chat, bot.id, key);
      cache.set(bot.id, key);
      return 'good';
    },
  };
}

function compare(expected: string | null, given: string | null): 'equal' | 'different' | null {
  if (expected === null) return null;
  return given !== null && makeSecretMatcher(expected)(given) ? 'equal' : 'different';
}
