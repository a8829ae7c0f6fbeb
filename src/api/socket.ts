import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Bus } from '../base/bus.ts';
import type { Clock } from '../base/clock.ts';
import { toConversationKey } from '../base/conversation.ts';
import { botId, type ChatName, type ConversationKey, roomId, userId } from '../base/terms.ts';
import type { Bot, Bots } from '../bots/bots.ts';
import type { Queue } from '../queue/queue.ts';
import type { TurnEvent } from '../turn/turn.ts';
import type { Login } from './login.ts';
import { PROBLEMS, type ProblemCode, sendProblem } from './problems.ts';
import { toTurnEventBody } from './wire.ts';
import { anyId, type WriteMessage, writtenFields } from './write-message.ts';

export type SocketDeps = {
  /** The chat whose rooms these are. */
  readonly chat: ChatName;
  readonly bots: Pick<Bots, 'get'>;
  readonly turnEvents: Pick<Bus<TurnEvent>, 'subscribe'>;
  readonly writeMessage: WriteMessage;
  readonly queue: Pick<Queue, 'interrupt'>;
  readonly login: Pick<Login, 'isStillIn'>;
  readonly clock: Clock;
};

/** Of a WebSocket what is used here. */
export type ClientSocket = {
  /** Bytes that wait to be sent. */
  readonly bufferedAmount: number;
  send(text: string): void;
  ping(): void;
  close(code: number, reason: string): void;
  /** Ends it without a word. */
  terminate(): void;
  on(event: 'message', listener: (bytes: Buffer, isBinary: boolean) => void): unknown;
  on(event: 'pong' | 'close', listener: () => void): unknown;
};

const MOST_CLIENTS = 64;
/** A client that has so much unread is dropped. */
const MOST_UNREAD_BYTES = 1024 * 1024;
/** Messages of one client on their way to the disk. */
const MOST_AT_ONCE = 16;
/** Under the idle limits of common proxies. */
const HEARTBEAT_MS = 15_000;
/** How long a client may take to say goodbye when the server closes. */
const GOODBYE_MS = 1_000;

const CLOSE_GOING_AWAY = 1001;
const CLOSE_NO_TEXT = 1003;
const CLOSE_NO_LOGIN = 1008;

const params = z.object({ roomId: anyId, botId: z.string().min(1) });
const querystring = z.object({ user: anyId.optional().describe("Only this person's conversation") });

const clientMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('message'), ...writtenFields }),
  z.object({ type: z.literal('interrupt') }),
]);

const route = {
  method: 'GET',
  url: '/ws/:roomId/:botId',
  // Fastify would answer a HEAD with a socket's handler.
  exposeHeadRoute: false,
  schema: {
    summary: 'WebSocket: the turns of a bot in a room as they run',
    description:
      'Sends `{type: turn.started|text.delta|tool.started|tool.finished|turn.finished|turn.failed, …}` as /api/events does, `{type: message.accepted}` and `{type: error, code, detail}`. Takes `{type: "message", text, user: {id, name}}` and `{type: "interrupt"}`.',
    params,
    querystring,
  },
} as const;

/** `WS /ws/:roomId/:botId`: streams a conversation's turns and takes messages. Nothing is replayed. */
export function socketRoutes(deps: SocketDeps): FastifyPluginAsyncZod {
  return async (scope) => {
    const goodbyes = new Set<() => void>();

    scope.route({
      ...route,
      async preHandler(request, reply) {
        if (deps.bots.get(botId(request.params.botId)) === null) return sendProblem(reply, 'unknown_bot');
        if (goodbyes.size >= MOST_CLIENTS) return sendProblem(reply, 'too_many_listeners');
      },
      handler: (_request, reply) => sendProblem(reply.header('Upgrade', 'websocket'), 'upgrade_required'),
      wsHandler(socket: ClientSocket, request) {
        const { roomId, botId: bot } = params.parse(request.params);
        const { user } = querystring.parse(request.query);
        const end = serve(socket, { room: roomId, bot, user: user ?? null }, request, deps);
        goodbyes.add(sayGoodbye);
        socket.on('close', () => {
          end();
          goodbyes.delete(sayGoodbye);
        });

        function sayGoodbye(): void {
          end();
          socket.close(CLOSE_GOING_AWAY, 'the server stops');
          deps.clock.after(GOODBYE_MS, () => socket.terminate());
        }
      },
    });

    // An open socket would keep the server from ever closing.
    scope.addHook('preClose', async () => {
      for (const sayGoodbye of goodbyes) sayGoodbye();
    });
  };
}

type Place = { readonly room: string; readonly bot: string; readonly user: string | null };

/** Serves one client until it goes; returns what ends that. */
function serve(socket: ClientSocket, place: Place, request: FastifyRequest, deps: SocketDeps): () => void {
  const { clock, turnEvents, login } = deps;
  const concerns = makeFilter(place, deps.chat);
  let isThere = true;

  function send(body: Readonly<Record<string, unknown>>): void {
    if (socket.bufferedAmount > MOST_UNREAD_BYTES) socket.terminate();
    else socket.send(JSON.stringify(body));
  }
  function beat(): void {
    if (!isThere) socket.terminate();
    else if (!endedLogin()) socket.ping();
    isThere = false;
  }
  /** A login that ends takes along what it opened. */
  function endedLogin(): boolean {
    if (login.isStillIn(request)) return false;
    socket.close(CLOSE_NO_LOGIN, 'the login has ended');
    return true;
  }

  const listen = makeListener(place, deps, send);
  socket.on('pong', () => {
    isThere = true;
  });
  socket.on('message', (bytes, isBinary) => {
    if (endedLogin()) return;
    if (isBinary) socket.close(CLOSE_NO_TEXT, 'text frames only');
    else void listen(bytes.toString());
  });
  const stops = [
    turnEvents.subscribe((event) => concerns(event.conversation) && send(toTurnEventBody(event))),
    clock.every(HEARTBEAT_MS, beat),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** Everybody's conversations with the bot in the room, or one person's alone. */
function makeFilter(place: Place, chat: ChatName): (conversation: ConversationKey) => boolean {
  const ofRoom = toConversationKey({ chat, ...idsOf(place), userId: null });
  if (place.user === null) return (key) => key === ofRoom || key.startsWith(`${ofRoom}:`);
  const ofUser = toConversationKey({ chat, ...idsOf(place), userId: userId(place.user) });
  return (key) => key === ofUser;
}

function idsOf({ room, bot }: Place) {
  return { roomId: roomId(room), botId: botId(bot) };
}

type Send = (body: Readonly<Record<string, unknown>>) => void;

/** What the client says. Never rejects: what is wrong is told to the client. */
function makeListener(place: Place, deps: SocketDeps, send: Send): (text: string) => Promise<void> {
  let underWay = 0;

  return async (text) => {
    const said = clientMessage.safeParse(parseOrNull(text));
    if (!said.success) return tell('invalid_fields', z.prettifyError(said.error));
    // A bot file may have gone since the socket was opened.
    const bot = deps.bots.get(botId(place.bot));
    if (bot === null) return tell('unknown_bot');
    if (said.data.type === 'interrupt') return interrupt(bot);
    if (underWay >= MOST_AT_ONCE) return tell('too_many_messages');
    underWay += 1;
    await write(bot, said.data).finally(() => {
      underWay -= 1;
    });
  };

  async function write(bot: Bot, { text, user }: { text: string; user: { id: string; name: string } }) {
    const stored = await deps.writeMessage(bot, { roomId: roomId(place.room), text, user });
    if (stored === null) tell('not_stored');
    else send({ type: 'message.accepted', inbox_id: stored.inboxId });
  }

  function interrupt(bot: Bot): void {
    if (bot.sessionScope === 'user' && place.user === null) {
      tell('invalid_fields', 'this bot has a conversation with each person: open the socket with ?user=');
      return;
    }
    const user = bot.sessionScope === 'user' && place.user !== null ? userId(place.user) : null;
    const conversation = toConversationKey({ chat: deps.chat, ...idsOf(place), userId: user });
    if (!deps.queue.interrupt(conversation)) tell('not_running');
  }

  function tell(code: ProblemCode, detail: string = PROBLEMS[code].title): void {
    send({ type: 'error', code, detail });
  }
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
