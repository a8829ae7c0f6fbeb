import { parseConversationKey } from '../base/conversation.ts';
import type { BotId, ConversationKey, RoomId } from '../base/terms.ts';
import type { Queue } from '../queue/queue.ts';
import type { SessionRecords, Sessions } from '../session/session.ts';

/** Ends conversations for good: the running turn is asked to end and can settle nothing any more. */
export type Forget = {
  /** Resolves when all of it is gone. */
  conversation(conversation: ConversationKey): Promise<void>;
  /** `botId` null: of every bot in the room. Resolves with how many there were. */
  room(roomId: RoomId, botId: BotId | null): Promise<number>;
  all(): Promise<number>;
};

export function makeForget(deps: {
  readonly records: Pick<SessionRecords, 'conversationsOf'>;
  readonly sessions: Pick<Sessions, 'forget'>;
  readonly queue: Pick<Queue, 'interrupt'>;
}): Forget {
  async function forget(conversation: ConversationKey): Promise<void> {
    deps.queue.interrupt(conversation);
    await deps.sessions.forget(conversation);
  }

  async function forgetWhere(room: RoomId | null, bot: BotId | null): Promise<number> {
    const found = await deps.records.conversationsOf(room);
    const meant = found.filter((key) => bot === null || parseConversationKey(key)?.botId === bot);
    for (const conversation of meant) await forget(conversation);
    return meant.length;
  }

  return { conversation: forget, room: forgetWhere, all: () => forgetWhere(null, null) };
}
