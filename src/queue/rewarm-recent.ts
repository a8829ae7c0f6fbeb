import type { ConversationKey, Lease } from '../base/terms.ts';
import type { Queue } from './queue.ts';

/**
 * Resumes conversations ahead of their next message, one after the other: whoever writes meanwhile goes first. One that
 * fails is only counted, since nobody waits for it: its next turn meets what was wrong, and tells it.
 */
export async function rewarmRecent(
  conversations: Promise<readonly ConversationKey[]>,
  queue: Pick<Queue, 'runBetween'>,
  rewarm: (lease: Lease) => Promise<boolean>,
): Promise<{ readonly resumed: number; readonly failed: number }> {
  const outcome = { resumed: 0, failed: 0 };
  for (const conversation of await conversations.catch(() => [])) {
    const wasResumed = await queue.runBetween(conversation, rewarm).catch(() => 'failed' as const);
    if (wasResumed === true) outcome.resumed += 1;
    if (wasResumed === 'failed') outcome.failed += 1;
  }
  return outcome;
}
