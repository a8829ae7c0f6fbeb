/** Who owns which conversation: leases with fences. One server today; the port is what more of them will share. */
import type { ConversationKey, Lease } from '../base/terms.ts';

export type Leases = {
  /** The conversation's lease with its next fence, or null while another holder's is live. */
  acquire(conversation: ConversationKey): Promise<Lease | null>;

  /** Extends the lease; null when it was lost (taken over, forgotten). */
  renew(lease: Lease): Promise<Lease | null>;

  /**
   * Gives the lease up and looks into the inbox in the same transaction, so that a message accepted meanwhile is
   * either seen here (`more`) or wakes the queue itself. A lease that was lost is no error.
   */
  release(lease: Lease): Promise<{ readonly more: boolean }>;

  /** Takes the conversation with a new fence whoever holds it: from then on the old holder can settle nothing. */
  seize(conversation: ConversationKey): Promise<Lease>;
};
