import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { botId, roomId } from '../base/terms.ts';
import type { Bot, Bots } from '../bots/bots.ts';
import type { RoomStore } from '../chat/chat.ts';
import { sendProblem } from './problems.ts';
import { roomMessageBody, toRoomMessageBody } from './wire.ts';
import { anyId, type WriteMessage, writtenFields } from './write-message.ts';

export type LocalRoomDeps = {
  /** Null when the chat is not the built-in one. */
  readonly rooms: RoomStore | null;
  readonly bots: Bots;
  readonly writeMessage: WriteMessage;
};

const MOST_MESSAGES = 200;

const params = z.object({ id: anyId });
const newMessage = z.object({ bot_id: z.string().min(1).optional(), ...writtenFields });

const readRoute = {
  schema: {
    summary: "The built-in room's messages, oldest first",
    params,
    querystring: z.object({
      after: z.coerce.number().int().nonnegative().optional(),
      limit: z.coerce.number().int().min(1).max(MOST_MESSAGES).default(50),
    }),
    response: { 200: z.object({ messages: z.array(roomMessageBody) }) },
  },
};
const writeRoute = {
  schema: {
    summary: 'Write to a bot in the built-in room',
    params,
    body: newMessage,
    response: { 202: z.object({ message: roomMessageBody }) },
  },
};

/** The built-in room: reading it, and writing to it as a person. */
export function localRoomRoutes({ rooms, ...deps }: LocalRoomDeps): FastifyPluginAsyncZod {
  return rooms === null ? noRoomRoutes : roomRoutes(rooms, deps);
}

const noRoomRoutes: FastifyPluginAsyncZod = async (scope) => {
  scope.route({
    method: ['GET', 'POST'],
    url: '/local/rooms/:id/messages',
    schema: { summary: 'The built-in room; answers 409 while CAMPFIRE_URL is set' },
    handler: async (_request, reply) => sendProblem(reply, 'not_builtin'),
  });
};

function roomRoutes(rooms: RoomStore, deps: Omit<LocalRoomDeps, 'rooms'>): FastifyPluginAsyncZod {
  const { bots, writeMessage } = deps;
  return async (scope) => {
    scope.get('/local/rooms/:id/messages', readRoute, async (request) => {
      const { after, limit } = request.query;
      const messages = await rooms.list(roomId(request.params.id), after ?? null, limit);
      return { messages: messages.map(toRoomMessageBody) };
    });

    scope.post('/local/rooms/:id/messages', writeRoute, async (request, reply) => {
      const { bot_id, text, user } = request.body;
      const bot = findBot(bot_id, bots);
      if (typeof bot === 'string') return sendProblem(reply, bot);

      const stored = await writeMessage(bot, { roomId: roomId(request.params.id), text, user });
      if (stored === null) return sendProblem(reply.header('Retry-After', '5'), 'not_stored');
      if (stored.shown === null) throw new Error('the built-in room shows what is written in it');
      return reply.code(202).send({ message: toRoomMessageBody(stored.shown) });
    });
  };
}

function findBot(id: string | undefined, bots: Bots): Bot | 'no_default_bot' | 'unknown_bot' {
  if (id === undefined) return bots.default() ?? 'no_default_bot';
  return bots.get(botId(id)) ?? 'unknown_bot';
}
