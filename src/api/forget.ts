import { parseConversationKey } from '../base/conversation.ts';
import type { BotId, ConversationKey, RoomId } from '../base/terms.ts';
import type { Queue } from '../queue/queue.ts';
import type { SessionRecords, Sessions } from '../session/session.ts';

/** Ends conversations for good: the running turn is asked to end and can settle nothing any more. */
export type Forget = {
  /** Resolves when all of it is gone. Without `told` a room whose message it left unanswered reads that it was stopped. */
  conversation(conversation: ConversationKey, told?: 'told'): Promise<void>;
  /** `botId` null: of every bot in the room. Resolves with how many there were. */
  room(roomId: RoomId, botId: BotId | null): Promise<number>;
  all(): Promise<number>;
};

export function makeForget(deps: {
  readonly records: Pick<SessionRecords, 'conversationsOf'>;
  readonly sessions: Pick<Sessions, 'forget'>;
  readonly queue: Pick<Queue, 'interrupt'>;
  tellStopped(conversation: ConversationKey): Promise<void>;
}): Forget {
  async function forget(conversation: ConversationKey, told?: 'told'): Promise<void> {
    deps.queue.interrupt(conversation, told === undefined ? 'stopped' : 'stopped-by-command');
    const unanswered = await deps.sessions.forget(conversation);
    if (unanswered > 0 && told === undefined) await deps.tellStopped(conversation);
  }

  async function forgetWhere(room: RoomId | null, bot: BotId | null): Promise<number> {
    const found = await deps.records.conversationsOf(room);
    const meant = found.filter((key) => bot === null || parseConversationKey(key)?.botId === bot);
    for (const conversation of meant) await forget(conversation);
    return meant.length;
  }

  return { conversation: forget, room: forgetWhere, all: () => forgetWhere(null, null) };
}
