/** What operators' routes read and write of sessions and messages beyond the ports of their folders: bounded, by index. */
import type { Usage } from '../agent/agent.ts';
import type { ConversationKey, InboxId, Instant, OutboxId, SessionId } from '../base/terms.ts';
import type { InboxMessage, InboxState } from '../inbox/inbox.ts';
import type { OutboxRow, OutboxState } from '../outbox/outbox.ts';
import type { SessionRecord } from '../session/session.ts';

/** Where a page of sessions ends: the next one holds what was used before it. */
export type SessionMark = { readonly lastUsedAt: Instant; readonly sessionId: SessionId };

export type SessionViews = {
  /** Current records, newest use first, `limit` of them. */
  current(before: SessionMark | null, limit: number): Promise<readonly SessionRecord[]>;
  /** How many current records there are. */
  count(): Promise<number>;
  /** The conversation's newest record, ended or not; null: it never had one. */
  latest(conversation: ConversationKey): Promise<SessionRecord | null>;
  /** Whether any conversation ever had a session with this id. */
  isKnownSession(sessionId: SessionId): Promise<boolean>;
  /** Whether the conversation ever had a session or a message. */
  isKnown(conversation: ConversationKey): Promise<boolean>;
  /** What all attempts took, settled or not, those of forgotten sessions too. */
  spent(conversation: ConversationKey): Promise<Spent>;
  /** Entries after position `after`, at least one when there is one, and no more than `most` allows. */
  transcript(
    sessionId: SessionId,
    subpath: string | null,
    after: number | null,
    most: { readonly entries: number; readonly bytes: number },
  ): Promise<TranscriptPage>;
};

export type Spent = Usage & { readonly attempts: number };

export type TranscriptPage = {
  /** Each the JSON of one entry as it was stored, oldest first. */
  readonly entries: readonly string[];
  /** The last one's position; null: there is nothing after these. */
  readonly next: number | null;
};

/** A message as operators see it; `text` null: not asked for. */
export type SeenMessage = Omit<InboxMessage, 'text' | 'promptId'> & {
  readonly text: string | null;
  /** How it ended; null while it has not. */
  readonly outcome: string | null;
  readonly endedAt: Instant | null;
  /** It waits until then; null: for its turn only. */
  readonly notBefore: Instant | null;
  /** The dead message that it is a copy of. */
  readonly replayOf: InboxId | null;
};

export type InboxQuery = {
  readonly states: readonly InboxState[];
  /** Null: of all. */
  readonly conversation: ConversationKey | null;
  /** Older than this one; null: from the newest on. */
  readonly before: InboxId | null;
  readonly limit: number;
  readonly withText: boolean;
};

export type ReplayOutcome =
  | { readonly kind: 'replayed'; readonly message: SeenMessage }
  /** It was replayed before, as this one. */
  | { readonly kind: 'replayed-before'; readonly id: InboxId }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'not-buried' }
  /** Its conversation was forgotten since, and its text with it. */
  | { readonly kind: 'forgotten' };

export type InboxViews = {
  /** Newest first. */
  list(query: InboxQuery): Promise<readonly SeenMessage[]>;
  /**
   * A dead message runs again as a copy, accepted at `at`: terminal states never change. One copy of each, so that
   * asking twice answers once. The copy is on disk when this resolves.
   */
  replay(id: InboxId, at: Instant): Promise<ReplayOutcome>;
};

/** A reply as operators see it; `markdown` null: not asked for. */
export type SeenReply = Omit<OutboxRow, 'markdown'> & {
  readonly markdown: string | null;
  /** Why it waits, is unknown or was buried. */
  readonly reason: string | null;
  readonly notBefore: Instant | null;
  readonly endedAt: Instant | null;
  /** The dead reply that it is a copy of. */
  readonly replayOf: OutboxId | null;
};

export type OutboxQuery = Omit<InboxQuery, 'states' | 'before'> & {
  readonly states: readonly OutboxState[];
  readonly before: OutboxId | null;
};

export type ReplyReplay =
  | { readonly kind: 'replayed'; readonly reply: SeenReply }
  | { readonly kind: 'replayed-before'; readonly id: OutboxId }
  | { readonly kind: 'unknown' | 'not-buried' | 'forgotten' };

export type OutboxViews = {
  /** Newest first. */
  list(query: OutboxQuery): Promise<readonly SeenReply[]>;
  /** A dead reply is sent as a copy, owed from `at` on, as `InboxViews.replay` does it. */
  replay(id: OutboxId, at: Instant): Promise<ReplyReplay>;
};
