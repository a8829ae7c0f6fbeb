/** The room that the server is to itself when no Campfire is configured: its messages are rows of our own database. */
import type { Clock } from '../../base/clock.ts';
import { type BotId, BUILTIN_CHAT } from '../../base/terms.ts';
import type { Chat, RoomStore } from '../chat.ts';
import { toPlainText } from '../plain-text.ts';
import { renderReply } from '../render.ts';

/** The newest messages that a reply is looked for in. */
const MOST_READ = 200;

export type BuiltinRoomDeps = {
  readonly store: RoomStore;
  /** The name that people read. */
  botName(bot: BotId): string;
  readonly clock: Clock;
};

/** A store that fails makes `send` and `readOwn` reject: whether the row was written is for the sender to find out. */
export function makeBuiltinRoom({ store, botName, clock }: BuiltinRoomDeps): Chat {
  // The page shows HTML as it is given, where Campfire links addresses by itself.
  const render = (markdown: string) => renderReply(markdown, 'linked');
  return {
    name: BUILTIN_CHAT,

    async send({ roomId, botId }, markdown) {
      const html = render(markdown);
      if (html === '') return { kind: 'refused', reason: 'rejected', detail: 'nothing to see' };
      const message = await store.add({
        roomId,
        author: { id: botId, name: botName(botId), isBot: true },
        html,
        plainText: toPlainText(html),
        createdAt: clock.now(),
      });
      return { kind: 'sent', platformId: String(message.id) };
    },

    plainText: (markdown) => toPlainText(render(markdown)),

    async readOwn({ roomId, botId }, afterId) {
      const newest = await store.list(roomId, null, MOST_READ);
      return newest
        .filter(({ id, author }) => author.isBot && author.id === botId && id > Number(afterId ?? 0))
        .map(({ id, plainText }) => ({ platformId: String(id), plainText }));
    },

    // What was not accepted was never shown.
    heard: async () => ({ kind: 'read', messages: [], isWhole: true }),

    // Only people write here; bots answer.
    isBot: async () => false,
    // Whoever writes here says who they are; nobody checks it.
    isAdministrator: async () => false,
  };
}
