import { parseConversationKey } from '../base/conversation.ts';
import type { BotId, RoomId } from '../base/terms.ts';
import type { Queue } from '../queue/queue.ts';
import type { SessionRecords, Sessions } from '../session/session.ts';
import type { Forget } from './stats.ts';

/** Forgets conversations: the running turn is asked to end and can settle nothing any more. */
export function makeForget(deps: {
  readonly records: Pick<SessionRecords, 'conversationsOf'>;
  readonly sessions: Pick<Sessions, 'forget'>;
  readonly queue: Pick<Queue, 'interrupt'>;
}): Forget {
  async function forgetWhere(room: RoomId | null, bot: BotId | null): Promise<number> {
    const found = await deps.records.conversationsOf(room);
    const meant = found.filter((key) => bot === null || parseConversationKey(key)?.botId === bot);
    for (const conversation of meant) {
      deps.queue.interrupt(conversation);
      await deps.sessions.forget(conversation);
    }
    return meant.length;
  }
  return { room: forgetWhere, all: () => forgetWhere(null, null) };
}
