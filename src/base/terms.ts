/**
 * The nouns that every folder shares. One word for one thing: `docs/architecture.md` lists them.
 * Ids are branded so that a room never passes for a bot; all of them are opaque and never a path.
 */

declare const brand: unique symbol;
export type Branded<Value, Name extends string> = Value & { readonly [brand]: Name };

/** Which chat: `builtin`, or `campfire:<id made when this CAMPFIRE_URL was first used>`. */
export type ChatName = Branded<string, 'ChatName'>;
export type RoomId = Branded<string, 'RoomId'>;
export type BotId = Branded<string, 'BotId'>;
export type UserId = Branded<string, 'UserId'>;
/** `<chat>:<room>:<bot>[:<user>]`; see `conversation.ts`. */
export type ConversationKey = Branded<string, 'ConversationKey'>;

/** The Agent SDK's session id, a UUID that we choose before the process starts. */
export type SessionId = Branded<string, 'SessionId'>;
/** The UUID of one transcript entry. */
export type EntryId = Branded<string, 'EntryId'>;
/** Our own UUID of one agent process; carried by its whole family in `FIREKEEPER_AGENT`. */
export type AgentId = Branded<string, 'AgentId'>;
export type InboxId = Branded<number, 'InboxId'>;
export type OutboxId = Branded<number, 'OutboxId'>;

/** Milliseconds since the epoch, from `Clock`. */
export type Instant = number;

/** The number that grows with every lease of a conversation; every fenced write carries it. */
export type Fence = Branded<number, 'Fence'>;

/** The exclusive right to run a conversation's turns until `expiresAt`. */
export type Lease = {
  readonly conversation: ConversationKey;
  readonly fence: Fence;
  readonly expiresAt: Instant;
};

/** What a conversation's turn starts from. */
export type Tier = 'hot' | 'warm' | 'cold';
/** How the process that serves the turn came to be. Hot is `reused`; warm is `rewarmed` or `resumed`; cold is `spare` or `new`. */
export type Start = 'reused' | 'rewarmed' | 'resumed' | 'spare' | 'new';

export function chatName(value: string): ChatName {
  return value as ChatName;
}
export function roomId(value: string | number): RoomId {
  return String(value) as RoomId;
}
export function botId(value: string): BotId {
  return value as BotId;
}
export function userId(value: string | number): UserId {
  return String(value) as UserId;
}

/** The chat that the server is to itself when no Campfire is configured. */
export const BUILTIN_CHAT: ChatName = chatName('builtin');
