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
 * - with `same-author` also those that follow it directly, due and by its author.
 */
export function decideClaim<Message extends OpenMessage>(
  open: readonly Message[],
  mode: ClaimMode,
  now: Instant,
): readonly Message[] {
  const [first] = open;
  if (first === undefined) return [];
  if (first.state === 'running')
    return takeWhile(open, (next) => next.state === 'running' && next.prompt_id === first.prompt_id);
  if (!isDue(first, now)) return [];
  if (mode === 'one') return [first];
  return takeWhile(
    open,
    (next) => next.state === 'waiting' && isDue(next, now) && next.user_id === first.user_id,
  );
}

function isDue(message: OpenMessage, now: Instant): boolean {
  return message.not_before === null || message.not_before <= now;
}

function takeWhile<Message>(
  messages: readonly Message[],
  belongs: (message: Message) => boolean,
): readonly Message[] {
  const end = messages.findIndex((message) => !belongs(message));
  return messages.slice(0, Math.min(end === -1 ? messages.length : end, MOST_CLAIMED));
}
