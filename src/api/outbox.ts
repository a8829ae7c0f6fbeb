import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { unreachable } from '../base/errors.ts';
import { toLegacyRoomId } from '../base/legacy-room-id.ts';
import type { ConversationKey, OutboxId } from '../base/terms.ts';
import type { OutboxState } from '../outbox/outbox.ts';
import { rowsQuery, toPage } from './pages.ts';
import { sendProblem } from './problems.ts';
import type { OutboxViews, SeenReply } from './views.ts';
import { legacyRoomId, toIso } from './wire.ts';

export type OutboxRoutesDeps = {
  readonly outboxViews: OutboxViews;
  /** A replayed reply is owed: the sender may look. */
  readonly owed: () => void;
  readonly clock: Clock;
};

const STATES = ['owed', 'sending', 'unknown', 'sent', 'buried'] as const satisfies OutboxState[];
/** What an operator has to do with: what is on its way, and what is dead. */
const USUAL_STATES = 'owed,sending,unknown,buried';

const state = z.enum(STATES);

const replyBody = z.object({
  id: z.int(),
  key: z.string().describe("The conversation's"),
  room_id: legacyRoomId,
  bot_id: z.string(),
  inbox_id: z.int().nullable().describe('The message that it answers'),
  kind: z.string().describe('`reply`, or what else the room is told'),
  state,
  reason: z.string().nullable().describe('Why it waits, is unknown or is dead'),
  attempts: z.int(),
  may_be_double: z.boolean().describe('It was sent again after an outcome that nothing could tell'),
  created_at: z.iso.datetime(),
  not_before: z.iso.datetime().nullable().describe('It backs off until then'),
  ended_at: z.iso.datetime().nullable(),
  platform_id: z.string().nullable().describe("The chat's own id of what was sent"),
  replay_of: z.int().nullable().describe('The dead reply that this one is a copy of'),
  text: z.string().optional().describe('Only with `text=true`'),
});

const listRoute = {
  schema: {
    summary: 'Replies that are on their way, and dead ones, newest first',
    querystring: rowsQuery(STATES, USUAL_STATES, 'With what the room reads, in Markdown'),
    response: { 200: z.object({ replies: z.array(replyBody), next: z.int().nullable() }) },
  },
};

const replayRoute = {
  schema: {
    summary: 'Send a dead reply after all',
    description: 'A copy is owed, with `replay_of`; the dead one stays dead. Each is replayed at most once.',
    params: z.object({ id: z.coerce.number().int().positive() }),
    response: { 202: z.object({ status: z.literal('success'), reply: replyBody }) },
  },
};

/** Looking at replies, and giving dead ones another chance. */
export function outboxRoutes(deps: OutboxRoutesDeps): FastifyPluginAsyncZod {
  const { outboxViews: views, owed, clock } = deps;
  return async (scope) => {
    scope.get('/api/outbox', listRoute, async (request) => {
      const { state: states, key, limit, before, text } = request.query;
      const found = await views.list({
        states: [...new Set(states)],
        // Any text will do: what is no key has no replies.
        conversation: (key as ConversationKey | undefined) ?? null,
        before: (before as OutboxId | undefined) ?? null,
        limit: limit + 1,
        withText: text,
      });
      const { page, next } = toPage(found, limit, ({ id }) => id);
      return { replies: page.map(toReplyBody), next };
    });

    scope.post('/api/outbox/:id/replay', replayRoute, async (request, reply) => {
      const outcome = await views.replay(request.params.id as OutboxId, clock.now());
      switch (outcome.kind) {
        case 'unknown':
          return sendProblem(reply, 'unknown_reply');
        case 'not-buried':
          return sendProblem(reply, 'not_buried');
        case 'forgotten':
          return sendProblem(reply, 'forgotten');
        case 'replayed-before':
          return sendProblem(reply, 'replayed_before', `It is reply ${outcome.id} now.`);
        case 'replayed':
          owed();
          return reply.code(202).send({ status: 'success', reply: toReplyBody(outcome.reply) });
        default:
          return unreachable(outcome);
      }
    });
  };
}

function toReplyBody(reply: SeenReply): z.input<typeof replyBody> {
  return {
    id: reply.id,
    key: reply.conversation,
    room_id: toLegacyRoomId(reply.roomId),
    bot_id: reply.botId,
    inbox_id: reply.inboxId,
    kind: reply.kind,
    state: reply.state,
    reason: reply.reason,
    attempts: reply.attempts,
    may_be_double: reply.mayBeDouble,
    created_at: toIso(reply.createdAt),
    not_before: reply.notBefore === null ? null : toIso(reply.notBefore),
    ended_at: reply.endedAt === null ? null : toIso(reply.endedAt),
    platform_id: reply.platformId,
    replay_of: reply.replayOf,
    ...(reply.markdown === null ? {} : { text: reply.markdown }),
  };
}
