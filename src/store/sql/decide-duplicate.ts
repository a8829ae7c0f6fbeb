import type { InboxRow } from './inbox-rows.ts';

/** A webhook comes minutes after its message at the very most; a late row says nothing of later uses of its id. */
const WEBHOOK_MAY_FOLLOW_MS = 3_600_000;

type Facts = Pick<InboxRow, 'user_id' | 'digest' | 'accepted_at' | 'sent_at'>;

/**
 * Whether an arriving message is one that is stored under the same id already. With the same text it is. Of another
 * text it is a new one (ids restart when a chat is restored), unless one of the two is late: then the author decides,
 * because the texts were read at different times and in different ways.
 */
export function decideDuplicate(arriving: Facts, stored: Facts): boolean {
  if (arriving.digest === stored.digest) return true;
  if (arriving.user_id !== stored.user_id) return false;
  if (arriving.sent_at !== null) return true;
  return stored.sent_at !== null && arriving.accepted_at - stored.accepted_at <= WEBHOOK_MAY_FOLLOW_MS;
}
