import type { BotId, ChatName } from '../../base/terms.ts';
import type { BotKeys } from '../../chat/chat.ts';
import type { Database } from '../database.ts';

export function makeBotKeys(database: Database): BotKeys {
  async function learned(chat: ChatName, bot: BotId): Promise<string | null> {
    const row = await database.read
      .selectFrom('bot_keys')
      .select('key')
      .where('chat', '=', chat)
      .where('bot_id', '=', bot)
      .executeTakeFirst();
    return row?.key ?? null;
  }

  return {
    learned,
    async learn(chat, bot, key) {
      // Every webhook brings the key; only a new one is worth a write.
      if ((await learned(chat, bot)) === key) return;
      await database.write((trx) =>
        trx
          .insertInto('bot_keys')
          .values({ chat, bot_id: bot, key })
          .onConflict((conflict) => conflict.columns(['chat', 'bot_id']).doUpdateSet({ key }))
          .execute(),
      );
    },
  };
}
