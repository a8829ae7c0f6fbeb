import { backoffMs } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { setNewest } from '../base/set-newest.ts';
import type { ConversationKey, Instant } from '../base/terms.ts';

const BACKOFF = { firstMs: 1_000, mostMs: 60_000 };
/** Conversations remembered at most; whoever failed so long ago is forgiven. */
const MOST_CONVERSATIONS = 10_000;

type Trouble = { readonly times: number; readonly until: Instant };

/** Conversations whose rounds throw: each waits longer for its next try. Kept in memory: a restart forgives. */
export function makeTroubles(clock: Clock) {
  const troubles = new Map<ConversationKey, Trouble>();
  return {
    /** Whether it is the first time in a row. */
    failed(conversation: ConversationKey): boolean {
      const times = (troubles.get(conversation)?.times ?? 0) + 1;
      const until = clock.now() + backoffMs(times, BACKOFF);
      setNewest(troubles, conversation, { times, until }, MOST_CONVERSATIONS);
      return times === 1;
    },
    clear: (conversation: ConversationKey): void => void troubles.delete(conversation),
    isWaiting(conversation: ConversationKey): boolean {
      const until = troubles.get(conversation)?.until;
      return until !== undefined && clock.now() < until;
    },
  };
}
