import { z } from 'zod';
import { type Clock, within } from '../base/clock.ts';
import { toConversationKey } from '../base/conversation.ts';
import { toError } from '../base/errors.ts';
import { type ChatName, type ConversationKey, type InboxId, type RoomId, userId } from '../base/terms.ts';
import type { Bot } from '../bots/bots.ts';
import type { RoomMessage, RoomStore } from '../chat/chat.ts';
import type { AcceptOutcome, IncomingMessage } from '../inbox/inbox.ts';
import type { Log } from '../telemetry/telemetry.ts';
import { toName, toPersonMessage, toText } from '../webhook/webhook.ts';

export type WriteDeps = {
  /** The chat whose rooms these are. */
  readonly chat: ChatName;
  /** Where the message is shown; null when the chat is not the built-in one, which shows nothing that we write. */
  readonly rooms: Pick<RoomStore, 'add'> | null;
  readonly accept: (message: IncomingMessage) => Promise<AcceptOutcome>;
  readonly wake: (conversation: ConversationKey) => void;
  readonly clock: Clock;
  readonly log: Log;
};

export type Written = {
  readonly roomId: RoomId;
  readonly text: string;
  readonly user: { readonly id: string; readonly name: string };
};

/** `shown` null: its chat shows it not. */
export type StoredMessage = { readonly inboxId: InboxId | null; readonly shown: RoomMessage | null };

/** A person's message to a bot, stored and woken for; null when it is not on disk in time, or cannot be put there. */
export type WriteMessage = (bot: Bot, written: Written) => Promise<StoredMessage | null>;

const STORE_LIMIT_MS = 3_000;
/** Who writes when nobody said so. */
const LOCAL_USER = { id: 'local', name: 'Local user' };

export const anyId = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,200}$/u, 'an id of 1 to 200 characters');

/** The fields of a message that a client writes, on whatever way it comes. */
export const writtenFields = {
  text: z
    .string()
    .max(100_000)
    .refine((text) => text.trim() !== '', 'a text that is not blank'),
  user: z.object({ id: anyId, name: z.string().min(1) }).default(LOCAL_USER),
};

export function makeWriteMessage(deps: WriteDeps): WriteMessage {
  const { clock, log } = deps;

  return async (bot, written) => {
    try {
      const stored = await within(clock, STORE_LIMIT_MS, store(bot, written));
      return stored === 'timed-out' ? null : stored;
    } catch (error) {
      log.error({ err: toError(error) }, 'a written message was not stored');
      return null;
    }
  };

  /** The built-in room's own id of the message is what the inbox deduplicates by. */
  async function store(bot: Bot, { roomId, user, text }: Written): Promise<StoredMessage | null> {
    const message = { text: toText(text, null), userName: toName(user.name), userId: userId(user.id) };
    const at = clock.now();
    const shown = (await deps.rooms?.add(toPersonMessage({ ...message, roomId, at }))) ?? null;
    const conversation = toConversationKey({
      chat: deps.chat,
      roomId,
      botId: bot.id,
      userId: bot.sessionScope === 'user' ? message.userId : null,
    });
    const outcome = await deps.accept({
      ...message,
      conversation,
      chat: deps.chat,
      roomId,
      roomName: null,
      botId: bot.id,
      messageId: shown === null ? null : `local-${shown.id}`,
      receivedAt: at,
    });
    if (outcome.kind === 'full') return null;
    if (outcome.kind === 'accepted') deps.wake(conversation);
    return { inboxId: outcome.kind === 'duplicate' ? null : outcome.id, shown };
  }
}
