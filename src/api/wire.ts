/** What the routes say: schemas of the wire (snake_case, ISO 8601 in UTC) and how our values become it. */
import { z } from 'zod';
import type { Instant } from '../base/terms.ts';
import type { RoomMessage } from '../chat/chat.ts';
import type { TurnEvent, TurnRecord } from '../turn/turn.ts';

export const problemBody = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
});

/** As the predecessor had it: a room's number where its id is one. */
export const legacyRoomId = z.union([z.int(), z.string()]);

export const tier = z.enum(['hot', 'warm', 'cold']);
export const start = z.enum(['reused', 'rewarmed', 'resumed', 'spare', 'new']);

export const turnBody = z.object({
  conversation: z.string(),
  bot_id: z.string(),
  session_id: z.string(),
  inbox_ids: z.array(z.int()),
  tier,
  start,
  reason: z.string(),
  outcome: z.string(),
  attempt: z.int(),
  ended_at: z.iso.datetime(),
  waited_ms: z.number(),
  opened_ms: z.number(),
  first_text_ms: z.number().nullable(),
  answered_ms: z.number(),
});

export function toTurnBody(turn: TurnRecord): z.input<typeof turnBody> {
  return {
    conversation: turn.conversation,
    bot_id: turn.botId,
    session_id: turn.sessionId,
    inbox_ids: [...turn.inboxIds],
    tier: turn.tier,
    start: turn.start,
    reason: turn.reason,
    outcome: turn.outcome,
    attempt: turn.attempt,
    ended_at: toIso(turn.endedAt),
    waited_ms: turn.waitedMs,
    opened_ms: turn.openedMs,
    first_text_ms: turn.firstTextMs,
    answered_ms: turn.answeredMs,
  };
}

/** A turn's event as clients read it: its own fields, an ended turn in the words of `/api/turns`. */
export function toTurnEventBody(event: TurnEvent): Readonly<Record<string, unknown>> {
  return 'turn' in event ? { ...event, turn: toTurnBody(event.turn) } : event;
}

export const roomMessageBody = z.object({
  id: z.int(),
  author: z.object({ id: z.string(), name: z.string(), is_bot: z.boolean() }),
  html: z.string(),
  text: z.string(),
  created_at: z.iso.datetime(),
});

export function toRoomMessageBody(message: RoomMessage): z.input<typeof roomMessageBody> {
  const { id, name, isBot } = message.author;
  return {
    id: message.id,
    author: { id, name, is_bot: isBot },
    html: message.html,
    text: message.plainText,
    created_at: toIso(message.createdAt),
  };
}

export function toIso(instant: Instant): string {
  return new Date(instant).toISOString();
}

/** Seconds with milliseconds, never negative. */
export function secondsBetween(from: Instant, to: Instant): number {
  return Math.max(0, to - from) / 1_000;
}
