import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Clock, within } from '../base/clock.ts';
import { toConversationKey } from '../base/conversation.ts';
import { toError } from '../base/errors.ts';
import { BUILTIN_CHAT, botId, type ConversationKey, type RoomId, roomId, userId } from '../base/terms.ts';
import type { Bot, Bots } from '../bots/bots.ts';
import type { RoomMessage, RoomStore } from '../chat/chat.ts';
import type { AcceptOutcome, IncomingMessage } from '../inbox/inbox.ts';
import type { Log } from '../telemetry/telemetry.ts';
import { toName, toPersonMessage, toText } from '../webhook/webhook.ts';
import { sendProblem } from './problems.ts';
import { roomMessageBody, toRoomMessageBody } from './wire.ts';

export type LocalRoomDeps = {
  /** Null when the chat is not the built-in one. */
  readonly rooms: RoomStore | null;
  readonly bots: Bots;
  readonly accept: (message: IncomingMessage) => Promise<AcceptOutcome>;
  readonly wake: (conversation: ConversationKey) => void;
  readonly clock: Clock;
  readonly log: Log;
};

const STORE_LIMIT_MS = 3_000;
const MOST_MESSAGES = 200;
/** What the page sends when nobody said who writes. */
const LOCAL_USER = { id: 'local', name: 'Local user' };

const id = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,200}$/u, 'an id of 1 to 200 characters');
const params = z.object({ id });
const newMessage = z.object({
  bot_id: z.string().min(1).optional(),
  text: z
    .string()
    .max(100_000)
    .refine((text) => text.trim() !== '', 'a text that is not blank'),
  user: z.object({ id, name: z.string().min(1) }).default(LOCAL_USER),
});

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
  const { bots, clock, log } = deps;
  return async (scope) => {
    scope.get('/local/rooms/:id/messages', readRoute, async (request) => {
      const { after, limit } = request.query;
      const messages = await rooms.list(roomId(request.params.id), after ?? null, limit);
      return { messages: messages.map(toRoomMessageBody) };
    });

    scope.post('/local/rooms/:id/messages', writeRoute, async (request, reply) => {
      const { bot_id, text, user } = request.body;
      const bot = bot_id === undefined ? bots.default() : bots.get(botId(bot_id));
      if (bot === null) return sendProblem(reply, bot_id === undefined ? 'no_default_bot' : 'unknown_bot');

      const stored = await storeInTime(bot, {
        roomId: roomId(request.params.id),
        userId: user.id,
        userName: toName(user.name),
        text: toText(text, null),
        at: clock.now(),
      });
      if (stored === null) return sendProblem(reply.header('Retry-After', '5'), 'not_stored');
      return reply.code(202).send({ message: toRoomMessageBody(stored) });
    });
  };

  /** Null when it is not on disk in time, or cannot be put there. */
  async function storeInTime(bot: Bot, written: Written): Promise<RoomMessage | null> {
    try {
      const stored = await within(clock, STORE_LIMIT_MS, store(bot, written));
      return stored === 'timed-out' ? null : stored;
    } catch (error) {
      log.error({ err: toError(error) }, 'message of the built-in room not stored');
      return null;
    }
  }

  /** The room's own id of the message is what the inbox deduplicates by. */
  async function store(bot: Bot, written: Written): Promise<RoomMessage> {
    const shown = await rooms.add(toPersonMessage(written));
    const user = userId(written.userId);
    const conversation = toConversationKey({
      chat: BUILTIN_CHAT,
      roomId: written.roomId,
      botId: bot.id,
      userId: bot.sessionScope === 'user' ? user : null,
    });
    await deps.accept({
      conversation,
      chat: BUILTIN_CHAT,
      roomId: written.roomId,
      roomName: null,
      botId: bot.id,
      userId: user,
      userName: written.userName,
      messageId: `local-${shown.id}`,
      text: written.text,
      receivedAt: written.at,
    });
    deps.wake(conversation);
    return shown;
  }
}

type Written = {
  readonly roomId: RoomId;
  readonly userId: string;
  readonly userName: string;
  readonly text: string;
  readonly at: number;
};
