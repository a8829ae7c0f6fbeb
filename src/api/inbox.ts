import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { unreachable } from '../base/errors.ts';
import { toLegacyRoomId } from '../base/legacy-room-id.ts';
import type { ConversationKey, InboxId } from '../base/terms.ts';
import type { InboxState } from '../inbox/inbox.ts';
import { rowsQuery, toPage } from './pages.ts';
import { sendProblem } from './problems.ts';
import type { InboxViews, SeenMessage } from './views.ts';
import { legacyRoomId, toIso } from './wire.ts';

export type InboxRoutesDeps = {
  readonly inboxViews: InboxViews;
  /** A replayed message waits for its turn. */
  readonly wake: (conversation: ConversationKey) => void;
  readonly clock: Clock;
};

const STATES = ['waiting', 'running', 'settled', 'buried', 'ignored'] as const satisfies InboxState[];
/** What an operator has to do with: what is on its way, and what is dead. */
const USUAL_STATES = 'waiting,running,buried';

const state = z.enum(STATES);

const messageBody = z.object({
  id: z.int(),
  key: z.string().describe("The conversation's"),
  room_id: legacyRoomId,
  room_name: z.string().nullable(),
  bot_id: z.string(),
  user_id: z.string(),
  user_name: z.string(),
  message_id: z.string().nullable().describe("The chat's own id of the message"),
  state,
  outcome: z.string().nullable().describe('How it ended; null while it has not'),
  attempts: z.int(),
  accepted_at: z.iso.datetime(),
  not_before: z.iso.datetime().nullable().describe('It backs off until then'),
  ended_at: z.iso.datetime().nullable(),
  replay_of: z.int().nullable().describe('The dead message that this one is a copy of'),
  text: z.string().optional().describe('Only with `text=true`'),
});

const listRoute = {
  schema: {
    summary: 'Accepted, running and dead messages, newest first',
    querystring: rowsQuery(STATES, USUAL_STATES, 'With what was written'),
    response: { 200: z.object({ messages: z.array(messageBody), next: z.int().nullable() }) },
  },
};

const replayRoute = {
  schema: {
    summary: 'Let a dead message run again',
    description:
      'A copy is accepted, with `replay_of`; the dead one stays dead. Each is replayed at most once.',
    params: z.object({ id: z.coerce.number().int().positive() }),
    response: { 202: z.object({ status: z.literal('success'), message: messageBody }) },
  },
};

/** Looking at messages, and giving dead ones another chance. */
export function inboxRoutes(deps: InboxRoutesDeps): FastifyPluginAsyncZod {
  const { inboxViews: views, wake, clock } = deps;
  return async (scope) => {
    scope.get('/api/inbox', listRoute, async (request) => {
      const { state: states, key, limit, before, text } = request.query;
      const found = await views.list({
        states: [...new Set(states)],
        // Any text will do: what is no key has no messages.
        conversation: (key as ConversationKey | undefined) ?? null,
        before: (before as InboxId | undefined) ?? null,
        limit: limit + 1,
        withText: text,
      });
      const { page, next } = toPage(found, limit, ({ id }) => id);
      return { messages: page.map(toMessageBody), next };
    });

    scope.post('/api/inbox/:id/replay', replayRoute, async (request, reply) => {
      const outcome = await views.replay(request.params.id as InboxId, clock.now());
      switch (outcome.kind) {
        case 'unknown':
          return sendProblem(reply, 'unknown_message');
        case 'not-buried':
          return sendProblem(reply, 'not_buried');
        case 'forgotten':
          return sendProblem(reply, 'forgotten');
        case 'replayed-before':
          return sendProblem(reply, 'replayed_before', `It runs again as message ${outcome.id}.`);
        case 'replayed':
          wake(outcome.message.conversation);
          return reply.code(202).send({ status: 'success', message: toMessageBody(outcome.message) });
        default:
          return unreachable(outcome);
      }
    });
  };
}

function toMessageBody(message: SeenMessage): z.input<typeof messageBody> {
  return {
    id: message.id,
    key: message.conversation,
    room_id: toLegacyRoomId(message.roomId),
    room_name: message.roomName,
    bot_id: message.botId,
    user_id: message.userId,
    user_name: message.userName,
    message_id: message.messageId,
    state: message.state,
    outcome: message.outcome,
    attempts: message.attempts,
    accepted_at: toIso(message.acceptedAt),
    not_before: message.notBefore === null ? null : toIso(message.notBefore),
    ended_at: message.endedAt === null ? null : toIso(message.endedAt),
    replay_of: message.replayOf,
    ...(message.text === null ? {} : { text: message.text }),
  };
}
