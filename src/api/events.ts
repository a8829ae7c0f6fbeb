import { Readable } from 'node:stream';
import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { Bus } from '../base/bus.ts';
import type { Clock } from '../base/clock.ts';
import type { RoomMessage } from '../chat/chat.ts';
import type { TurnEvent } from '../turn/turn.ts';
import type { Login } from './login.ts';
import { sendProblem } from './problems.ts';
import { toRoomMessageBody, toTurnEventBody } from './wire.ts';

export type EventSources = {
  readonly turnEvents: Pick<Bus<TurnEvent>, 'subscribe'>;
  /** New messages of the built-in room; null when there is none. */
  readonly roomEvents: Pick<Bus<RoomMessage>, 'subscribe'> | null;
  readonly login: Pick<Login, 'isStillIn'>;
  readonly clock: Clock;
};

const MOST_CLIENTS = 64;
/** A client that has so much unread is dropped; it reads the current state when it comes back. */
const MOST_UNREAD_BYTES = 1024 * 1024;
/** Under the idle limits of common proxies. */
const HEARTBEAT_MS = 15_000;
/** How long a client may take to read the end of its stream when the server closes. */
const GOODBYE_MS = 1_000;

/** `GET /api/events`: what happens, as server-sent events named by their type. Nothing is replayed. */
export function eventRoutes(deps: EventSources): FastifyPluginAsync {
  return async (scope) => {
    const goodbyes = new Set<() => void>();

    // Fastify would answer a HEAD with the GET's handler, and nobody would ever end that stream.
    const options = { schema: EVENTS_SCHEMA, exposeHeadRoute: false };
    scope.get('/api/events', options, async (request, reply) => {
      if (goodbyes.size >= MOST_CLIENTS) return sendProblem(reply, 'too_many_listeners');
      const stream = new Readable({ read() {} });
      const stop = follow(deps, stream, request, sayGoodbye);
      goodbyes.add(sayGoodbye);
      stream.once('close', () => {
        stop();
        goodbyes.delete(sayGoodbye);
      });
      return reply.type('text/event-stream').header('X-Accel-Buffering', 'no').send(stream);

      function sayGoodbye(): void {
        stop();
        stream.push(null);
        deps.clock.after(GOODBYE_MS, () => reply.raw.destroy());
      }
    });

    // An open stream would keep the server from ever closing.
    scope.addHook('preClose', async () => {
      for (const sayGoodbye of goodbyes) sayGoodbye();
    });
  };
}

/** Writes everything that happens from now on to the stream; returns what ends that. */
function follow(sources: EventSources, stream: Readable, request: FastifyRequest, sayGoodbye: () => void) {
  const { turnEvents, roomEvents, login, clock } = sources;
  function write(chunk: string): void {
    if (stream.destroyed) return;
    if (stream.readableLength > MOST_UNREAD_BYTES) stream.destroy();
    else stream.push(chunk);
  }
  function writeEvent(type: string, body: unknown): void {
    write(`event: ${type}\ndata: ${JSON.stringify(body)}\n\n`);
  }

  // The first bytes send the headers, so that the client knows that it listens.
  write(': listening\n\n');
  const stops = [
    turnEvents.subscribe((event) => writeEvent(event.type, toTurnEventBody(event))),
    roomEvents?.subscribe((message) =>
      writeEvent('room.message', {
        type: 'room.message',
        room_id: message.roomId,
        message: toRoomMessageBody(message),
      }),
    ),
    clock.every(HEARTBEAT_MS, () => (login.isStillIn(request) ? write(': still here\n\n') : sayGoodbye())),
  ];
  return () => {
    for (const stop of stops) stop?.();
  };
}

const EVENTS_SCHEMA = {
  summary: 'Server-sent events: turns as they run, and new messages of the built-in room',
  description:
    'Types: turn.started, text.delta, tool.started, tool.finished, turn.finished, turn.failed, room.message. Each `data` is JSON with its `type`.',
};
