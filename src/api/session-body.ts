import { z } from 'zod';
import { parseConversationKey } from '../base/conversation.ts';
import { toLegacyRoomId } from '../base/legacy-room-id.ts';
import type { ConversationKey, Instant, SessionId, Start, Tier } from '../base/terms.ts';
import type { SessionState } from '../session/session.ts';
import { legacyRoomId, secondsBetween, start, tier, toIso } from './wire.ts';

/** One conversation that has a session record, and what lives of it now. */
export type SessionFacts = {
  readonly conversation: ConversationKey;
  readonly sessionId: SessionId;
  readonly state: SessionState;
  /** From what its last turn started. */
  readonly tier: Tier;
  readonly start: Start;
  /** A live agent process serves it. */
  readonly connected: boolean;
  /** A turn of it is under way. */
  readonly busy: boolean;
  /** Settled turns. */
  readonly turnCount: number;
  /** Memory of the agent's family; null when none lives or nobody measured. */
  readonly rssMb: number | null;
  readonly costUsd: number;
  /** Of the settings that its agent was last started with. */
  readonly fingerprint: string;
  readonly createdAt: Instant;
  readonly lastUsedAt: Instant;
  readonly memoryAtRiskAt: Instant | null;
};

/** The predecessor's names where it had one. */
export const sessionBody = z.object({
  key: z.string(),
  room_id: legacyRoomId,
  bot_id: z.string(),
  user_id: z.string().nullable().describe('Set where each person has an own conversation'),
  session_id: z.string(),
  state: z.enum(['provisional', 'active', 'expired', 'lost', 'quarantined', 'forgotten']),
  tier,
  start,
  connected: z.boolean().describe('A live agent process serves it'),
  busy: z.boolean().describe('A turn of it is under way'),
  query_count: z.int().describe('Settled turns'),
  age_seconds: z.number(),
  idle_seconds: z.number(),
  rss_mb: z.number().nullable(),
  cost_usd: z.number(),
  fingerprint: z.string(),
  created_at: z.iso.datetime(),
  last_used: z.iso.datetime(),
  memory_at_risk_at: z.iso
    .datetime()
    .nullable()
    .describe('When entries of a turn last did not reach its transcript'),
});

export function toSessionBody(session: SessionFacts, now: Instant): z.input<typeof sessionBody> {
  const { room_id, bot_id, user_id } = namesOf(session.conversation);
  return {
    key: session.conversation,
    room_id,
    bot_id,
    user_id,
    session_id: session.sessionId,
    state: session.state,
    tier: session.tier,
    start: session.start,
    connected: session.connected,
    busy: session.busy,
    query_count: session.turnCount,
    age_seconds: secondsBetween(session.createdAt, now),
    idle_seconds: secondsBetween(session.lastUsedAt, now),
    rss_mb: session.rssMb,
    cost_usd: session.costUsd,
    fingerprint: session.fingerprint,
    created_at: toIso(session.createdAt),
    last_used: toIso(session.lastUsedAt),
    memory_at_risk_at: session.memoryAtRiskAt === null ? null : toIso(session.memoryAtRiskAt),
  };
}

/** Room, bot and person of a stored key. */
export function namesOf(key: ConversationKey) {
  const conversation = parseConversationKey(key);
  if (conversation === null) throw new Error('a stored conversation key cannot be parsed');
  const { roomId, botId, userId } = conversation;
  return { room_id: toLegacyRoomId(roomId), bot_id: botId, user_id: userId };
}
