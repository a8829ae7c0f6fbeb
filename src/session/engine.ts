import { setNewest } from '../base/set-newest.ts';
import type { ConversationKey, Instant } from '../base/terms.ts';
import type { ColdStarts } from './keep-spares.ts';
import type { LiveAgents } from './live-agents.ts';
import type { SessionDeps } from './session.ts';

/** What the parts of the session engine share. */
export type SessionEngine = SessionDeps & {
  readonly live: LiveAgents;
  readonly failures: Failures;
  readonly coldStarts: ColdStarts;
  /** When a conversation's last compaction failed. Kept in memory, like `failures`. */
  readonly compactionsFailed: Map<ConversationKey, Instant>;
};

/** Conversations remembered at most; whoever fails so seldom is forgiven. */
export const MOST_CONVERSATIONS = 10_000;

/** How often in a row a session failed its process. Kept in memory: a restart gives it another chance. */
export type Failures = {
  of(conversation: ConversationKey): number;
  failed(conversation: ConversationKey): void;
  clear(conversation: ConversationKey): void;
};

export function makeFailures(): Failures {
  const counts = new Map<ConversationKey, number>();
  return {
    of: (conversation) => counts.get(conversation) ?? 0,
    failed(conversation) {
      setNewest(counts, conversation, (counts.get(conversation) ?? 0) + 1, MOST_CONVERSATIONS);
    },
    clear: (conversation) => void counts.delete(conversation),
  };
}
