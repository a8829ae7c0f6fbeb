import type { ConversationKey } from '../base/terms.ts';

/** Conversations of which no new turn may begin; whoever holds one releases it. */
export function makeHolds(onRelease: () => void) {
  const holds = new Map<ConversationKey, number>();

  function release(conversation: ConversationKey): void {
    const others = (holds.get(conversation) ?? 1) - 1;
    if (others > 0) holds.set(conversation, others);
    else holds.delete(conversation);
    onRelease();
  }

  return {
    has: (conversation: ConversationKey): boolean => holds.has(conversation),
    hold(conversation: ConversationKey): () => void {
      holds.set(conversation, (holds.get(conversation) ?? 0) + 1);
      let released = false;
      return () => {
        if (!released) release(conversation);
        released = true;
      };
    },
  };
}
