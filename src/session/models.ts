import { setNewest } from '../base/set-newest.ts';
import type { ConversationKey } from '../base/terms.ts';
import type { Bot } from '../bots/bots.ts';

/** Conversations whose choice is kept in memory at most; the others are read again. */
const MOST_CACHED = 10_000;

/** Where choices outlive a restart. */
export type ModelChoices = {
  get(conversation: ConversationKey): Promise<string | null>;
  set(conversation: ConversationKey, model: string | null): Promise<void>;
};

/** What was chosen counts as long as the bot file lists it. */
export function chosenModel(choice: string | null, bot: Pick<Bot, 'models'>): string | null {
  return choice !== null && bot.models.includes(choice) ? choice : null;
}

/** The model that somebody chose for a conversation, until it is forgotten; null: its bot's own. */
export function makeModels(choices: ModelChoices): ModelChoices {
  const cache = new Map<ConversationKey, string | null>();

  const keep = (conversation: ConversationKey, model: string | null): void =>
    setNewest(cache, conversation, model, MOST_CACHED);

  return {
    async get(conversation) {
      const cached = cache.get(conversation);
      if (cached !== undefined) return cached;
      const model = await choices.get(conversation);
      keep(conversation, model);
      return model;
    },
    async set(conversation, model) {
      await choices.set(conversation, model);
      keep(conversation, model);
    },
  };
}
