/** The tables as `migrations/` makes them. Times are milliseconds since the epoch; JSON and states are text. */
import type { GeneratedAlways } from 'kysely';
import type {
  AgentId,
  BotId,
  ChatName,
  ConversationKey,
  EntryId,
  Fence,
  InboxId,
  Instant,
  OutboxId,
  RoomId,
  SessionId,
  Start,
  Tier,
  UserId,
} from '../base/terms.ts';
import type { BuryReason, IgnoreReason, InboxState } from '../inbox/inbox.ts';
import type { OutboxState, ReplyKind } from '../outbox/outbox.ts';
import type { SessionState } from '../session/session.ts';
import type { ProjectSchema } from './project-schema.ts';

export type Schema = ProjectSchema & {
  readonly inbox: InboxTable;
  readonly outbox: OutboxTable;
  readonly leases: LeasesTable;
  readonly sessions: SessionsTable;
  readonly transcript_entries: TranscriptEntriesTable;
  readonly turns: TurnsTable;
  readonly ledger: LedgerTable;
  readonly agents: AgentsTable;
  readonly room_messages: RoomMessagesTable;
  readonly bot_keys: BotKeysTable;
  readonly bot_rooms: BotRoomsTable;
  readonly meta: { key: string; value: string };
};

/** `ended_at` is null exactly while the state is `waiting` or `running`: the partial indexes of open rows hang on it. */
type InboxTable = {
  id: GeneratedAlways<InboxId>;
  conversation: ConversationKey;
  chat: ChatName;
  room_id: RoomId;
  room_name: string | null;
  bot_id: BotId;
  user_id: UserId;
  user_name: string;
  message_id: string | null;
  /** Of author and text; with chat, bot and message id it is the dedupe key. */
  digest: string;
  text: string;
  state: InboxState;
  attempts: number;
  not_before: Instant | null;
  prompt_id: EntryId | null;
  /** The lease's fence of the turn that claimed it last. */
  fence: Fence | null;
  told_longer_at: Instant | null;
  accepted_at: Instant;
  /** When it was sent; only where it was accepted late. */
  sent_at: Instant | null;
  ended_at: Instant | null;
  /** How it ended. */
  outcome: 'answered' | 'notice' | BuryReason | IgnoreReason | null;
  /** The dead message that this one is a copy of. */
  replay_of: InboxId | null;
};

/** `ended_at` is null exactly while the state is neither `sent` nor `buried`. */
type OutboxTable = {
  id: GeneratedAlways<OutboxId>;
  conversation: ConversationKey;
  chat: ChatName;
  room_id: RoomId;
  bot_id: BotId;
  inbox_id: InboxId | null;
  kind: ReplyKind;
  markdown: string;
  state: OutboxState;
  attempts: number;
  not_before: Instant | null;
  /** Why it waits, is unknown or was buried. */
  reason: string | null;
  may_be_double: number;
  created_at: Instant;
  sending_at: Instant | null;
  platform_id: string | null;
  ended_at: Instant | null;
  /** Its conversation was forgotten while it was still owed: its text goes when it ends. */
  forgotten_at: Instant | null;
  /** The dead reply that this one is a copy of. */
  replay_of: OutboxId | null;
};

/** One row for each conversation that ever had a turn, never deleted: its fence must not start again. */
type LeasesTable = {
  conversation: ConversationKey;
  fence: Fence;
  holder: string | null;
  expires_at: Instant;
};

/** `ended_at` is null exactly while the state is `provisional` or `active`; one such row for each conversation. */
type SessionsTable = {
  session_id: SessionId;
  conversation: ConversationKey;
  room_id: RoomId;
  state: SessionState;
  settled_entry: EntryId | null;
  fingerprint: string;
  created_at: Instant;
  last_used_at: Instant;
  turn_count: number;
  cost_usd: number;
  last_tier: Tier;
  last_start: Start;
  memory_at_risk_at: Instant | null;
  ended_at: Instant | null;
};

type TranscriptEntriesTable = {
  session_id: SessionId;
  /** Empty for the main transcript. */
  subpath: string;
  position: number;
  uuid: string | null;
  /** JSON. */
  entry: string;
};

type TurnsTable = {
  id: GeneratedAlways<number>;
  conversation: ConversationKey;
  bot_id: BotId;
  session_id: SessionId;
  /** JSON. */
  inbox_ids: string;
  tier: Tier;
  start: Start;
  reason: string;
  outcome: string;
  attempt: number;
  ended_at: Instant;
  waited_ms: number;
  opened_ms: number;
  first_text_ms: number | null;
  answered_ms: number;
};

type LedgerTable = {
  id: GeneratedAlways<number>;
  conversation: ConversationKey;
  bot_id: BotId;
  user_id: UserId;
  session_id: SessionId;
  outcome: string;
  cost_usd: number;
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  at: Instant;
};

type AgentsTable = {
  agent_id: AgentId;
  pid: number;
  conversation: ConversationKey;
  session_id: SessionId;
  started_at: Instant;
};

type RoomMessagesTable = {
  id: GeneratedAlways<number>;
  room_id: RoomId;
  author_id: string;
  author_name: string;
  author_is_bot: number;
  html: string;
  plain_text: string;
  created_at: Instant;
};

type BotRoomsTable = {
  chat: ChatName;
  bot_id: BotId;
  room_id: RoomId;
  /** Null in a direct room. */
  room_name: string | null;
  heard_at: Instant;
};

type BotKeysTable = { chat: ChatName; bot_id: BotId; key: string };
