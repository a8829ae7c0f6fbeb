import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { botId, type ConversationKey, type Instant, roomId } from '../base/terms.ts';
import type { Forget } from './forget.ts';
import { namesOf, type SessionFacts, sessionBody, toSessionBody } from './session-body.ts';
import { legacyRoomId, secondsBetween, toIso } from './wire.ts';

export type SessionStats = {
  /** Current sessions in all. */
  readonly total: number;
  /** `SESSION_TTL_HOURS` */
  readonly ttlHours: number;
  /** `DATA_DIR` */
  readonly persistenceDir: string;
  readonly memory: { readonly budgetMb: number; readonly usedMb: number; readonly liveAgents: number };
  /** At most what the port's owner bounds; newest use first. */
  readonly sessions: readonly SessionFacts[];
};

export type QueueStats = {
  /** Messages accepted in all. */
  readonly total: number;
  readonly waiting: number;
  readonly running: number;
  /** Conversations whose turn runs now. */
  readonly active: readonly ConversationKey[];
  readonly oldestWaitingAt: Instant | null;
  readonly waitingByConversation: ReadonlyMap<ConversationKey, number>;
};

export type Stats = { sessions(): Promise<SessionStats>; queue(): Promise<QueueStats> };

const sessionStats = z.object({
  active_sessions: z.int().describe('In all; the list holds the most recently used of them'),
  ttl_hours: z.number(),
  persistence_dir: z.string(),
  memory: z.object({ budget_mb: z.number(), used_mb: z.number(), live_agents: z.int() }),
  sessions: z.array(sessionBody),
});

const queueStats = z.object({
  total_requests: z.int().describe('Messages accepted in all'),
  queued_requests: z.int().describe('Messages that wait for their turn'),
  active_agents: z.int().describe('Turns that run now'),
  active_keys: z.array(z.tuple([legacyRoomId, z.string()])).describe('Room and bot of each running turn'),
  timestamp: z.iso.datetime(),
  depth: z.int().describe('Messages that wait or run'),
  oldest_wait_seconds: z.number(),
  by_key: z.record(z.string(), z.int()).describe('Waiting messages by conversation'),
});

const cleared = z.object({ status: z.literal('success'), message: z.string(), cleared: z.int() });

/** The predecessor's session and queue routes, with its names and types. */
export function statsRoutes(deps: {
  readonly stats: Stats;
  readonly forget: Forget;
  readonly clock: Clock;
}): FastifyPluginAsyncZod {
  const { stats, forget, clock } = deps;
  return async (scope) => {
    scope.get(
      '/session/stats',
      { schema: { summary: 'Conversations and their agents', response: { 200: sessionStats } } },
      async () => toSessionStats(await stats.sessions(), clock.now()),
    );

    scope.get(
      '/queue/stats',
      { schema: { summary: 'What waits and what runs', response: { 200: queueStats } } },
      async () => toQueueStats(await stats.queue(), clock.now()),
    );

    scope.post(
      '/session/clear/room/:roomId',
      {
        schema: {
          summary: "Forget a room's conversations, or one bot's in it",
          params: z.object({ roomId: z.string().min(1) }),
          querystring: z.object({ bot_id: z.string().min(1).optional() }),
          response: { 200: cleared },
        },
      },
      async (request) => {
        const room = request.params.roomId;
        const bot = request.query.bot_id;
        const count = await forget.room(roomId(room), bot === undefined ? null : botId(bot));
        return { status: 'success' as const, message: `Sessions of room ${room} cleared`, cleared: count };
      },
    );

    scope.post(
      '/session/clear/all',
      { schema: { summary: 'Forget every conversation', response: { 200: cleared } } },
      async () => ({
        status: 'success' as const,
        message: 'All sessions cleared',
        cleared: await forget.all(),
      }),
    );
  };
}

function toSessionStats(stats: SessionStats, now: Instant): z.input<typeof sessionStats> {
  const { budgetMb, usedMb, liveAgents } = stats.memory;
  return {
    active_sessions: stats.total,
    ttl_hours: stats.ttlHours,
    persistence_dir: stats.persistenceDir,
    memory: { budget_mb: budgetMb, used_mb: usedMb, live_agents: liveAgents },
    sessions: stats.sessions.map((session) => toSessionBody(session, now)),
  };
}

function toQueueStats(stats: QueueStats, now: Instant): z.input<typeof queueStats> {
  return {
    total_requests: stats.total,
    queued_requests: stats.waiting,
    active_agents: stats.active.length,
    active_keys: stats.active.map(roomAndBot),
    timestamp: toIso(now),
    depth: stats.waiting + stats.running,
    oldest_wait_seconds: stats.oldestWaitingAt === null ? 0 : secondsBetween(stats.oldestWaitingAt, now),
    by_key: Object.fromEntries(stats.waitingByConversation),
  };
}

function roomAndBot(key: ConversationKey): [number | string, string] {
  const { room_id, bot_id } = namesOf(key);
  return [room_id, bot_id];
}
