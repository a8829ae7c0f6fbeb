import type { ConversationKey, Lease } from '../base/terms.ts';
import type { Queue } from './queue.ts';

/**
 * Resumes conversations ahead of their next message, one after the other: whoever writes meanwhile goes first. How many
 * were resumed.
 */
export async function rewarmRecent(
  conversations: readonly ConversationKey[],
  queue: Pick<Queue, 'runBetween'>,
  rewarm: (lease: Lease) => Promise<boolean>,
): Promise<number> {
  let count = 0;
  for (const conversation of conversations) {
    const wasResumed = await queue.runBetween(conversation, rewarm);
    if (wasResumed === true) count += 1;
  }
  return count;
}
