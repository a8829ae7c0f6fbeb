import type { EntryId, InboxId, Instant, UserId } from '../../base/terms.ts';
import type { ClaimMode, InboxState } from '../../inbox/inbox.ts';

/** Messages that one turn takes at most. */
export const MOST_CLAIMED = 20;

export type OpenMessage = {
  readonly id: InboxId;
  readonly state: InboxState;
  readonly user_id: UserId;
  readonly not_before: Instant | null;
  readonly prompt_id: EntryId | null;
};

/**
 * Which of a conversation's unfinished messages, oldest first, the next turn takes:
 *
 * - the ones that a turn left `running`, together as that turn had them (same prompt), nothing else with them;
 * - else the oldest, once it is due; while it backs off nothing is due, because nothing may overtake it;
 * - with `same-author` also all others by its author that are due: those of others wait their turn.
 */
export function decideClaim<Message extends OpenMessage>(
  open: readonly Message[],
  mode: ClaimMode,
  now: Instant,
): readonly Message[] {
  const [first] = open;
  if (first === undefined) return [];
  if (first.state === 'running')
    return open.filter((next) => next.state === 'running' && next.prompt_id === first.prompt_id);
  if (!isDue(first, now)) return [];
  if (mode === 'one') return [first];
  return open
    .filter((next) => next.state === 'waiting' && isDue(next, now) && next.user_id === first.user_id)
    .slice(0, MOST_CLAIMED);
}

function isDue(message: OpenMessage, now: Instant): boolean {
  return message.not_before === null || message.not_before <= now;
}
