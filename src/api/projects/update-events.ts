import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Clock } from '../../base/clock.ts';
import type { Instant } from '../../base/terms.ts';
import type { ProjectId, Projects, Update, UpdateEvent } from '../../projects/projects.ts';
import { sendProblem } from '../problems.ts';
import type { Door } from './project-routes.ts';
import { idParams } from './projects.ts';
import { eventBody, toEventBody } from './update-body.ts';

const MOST_CLIENTS = 64;
/** Whoever holds a token of one project leaves room for the others. */
const MOST_OF_ONE_PROJECT = 16;
/** Rows that are read, and held, at once. */
const PAGE = 200;
const MOST_IN_PAGE = 1_000;
/** What is written to a client before it reads; no row is read from the store beyond it. */
const MOST_UNREAD_BYTES = 64 * 1024;
/** A client that reads nothing for so long is cut off; it comes back with the id of the last event that it has. */
const STALLED_MS = 30_000;
/** Under the idle limits of common proxies. */
const HEARTBEAT_MS = 15_000;
/** Looks for rows that nobody rang for: another process may have written them. */
const LOOK_MS = 2_000;
/** How long a client may take to read the end of its stream when the server closes. */
const GOODBYE_MS = 1_000;

const route = {
  // Nobody would ever end the stream of a HEAD.
  exposeHeadRoute: false,
  schema: {
    summary: 'What happens in an update: server-sent events, or a page of them as JSON',
    description:
      'With `Accept: application/json` a page after `?after=`. Else a stream that begins after `Last-Event-ID` (or `?after=`), ends with the terminal event, and is answered 204 when nothing more will come.',
    params: idParams,
    headers: z.looseObject({ 'last-event-id': z.coerce.number().int().min(0).optional() }),
    querystring: z.object({
      after: z.coerce.number().int().min(0).optional(),
      limit: z.coerce.number().int().min(1).max(MOST_IN_PAGE).default(PAGE).describe('Of a page'),
    }),
    response: {
      200: z.object({
        events: z.array(eventBody),
        next: z.int().describe('`after` of the next page'),
        ended: z.boolean().describe('The terminal event is among them, or was before'),
      }),
    },
  },
};

/** `GET /v1/updates/:id/events`. Rows are the truth; whoever rings only says that there are more. */
export function updateEventRoutes({ projects, who, clock }: Door): FastifyPluginAsyncZod {
  return async (scope) => {
    /** How each stream is ended, and whose it is. */
    const streams = new Map<() => void, ProjectId>();

    scope.get('/v1/updates/:id/events', route, async (request, reply) => {
      const { query, headers } = request;
      const update = who.updateOf(request);
      const after = headers['last-event-id'] ?? query.after ?? 0;
      if (wantsPage(request)) return readPage(projects, update.id, after, query.limit);
      return sendStream(update, after, { request, reply });
    });

    // An open stream would keep the server from ever closing.
    scope.addHook('preClose', async () => {
      for (const sayGoodbye of streams.keys()) sayGoodbye();
    });

    function isFull(project: ProjectId): boolean {
      const ofProject = [...streams.values()].filter((one) => one === project).length;
      return streams.size >= MOST_CLIENTS || ofProject >= MOST_OF_ONE_PROJECT;
    }

    async function sendStream(update: Update, after: number, client: Client): Promise<FastifyReply> {
      const { id, projectId } = update;
      const { request, reply } = client;
      if (isFull(projectId)) return sendProblem(reply, 'too_many_listeners');
      // A browser asks again and again for a stream that ended, until it reads this.
      if (await isOver(projects, id, after)) return reply.code(204).send();
      const isStillIn = () => who.isStillIn(request);
      const { stream, end } = openStream({ projects, clock, isStillIn }, id, after);
      streams.set(sayGoodbye, projectId);
      stream.once('close', () => streams.delete(sayGoodbye));
      // A generator that waits cannot be ended from outside: it has to hear that the client has left.
      reply.raw.once('close', end);
      return reply.type('text/event-stream').header('X-Accel-Buffering', 'no').send(stream);

      function sayGoodbye(): void {
        end();
        clock.after(GOODBYE_MS, () => reply.raw.destroy());
      }
    }
  };
}

type Client = { readonly request: FastifyRequest; readonly reply: FastifyReply };

function wantsPage({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  const accept = headers.accept ?? '';
  return accept.includes('application/json') && !accept.includes('text/event-stream');
}

async function readPage(projects: Pick<Projects, 'updates'>, id: Update['id'], after: number, limit: number) {
  // Read first: an update that ends meanwhile is then told as not ended, and its terminal event comes with the next page.
  const update = await projects.updates.get(id);
  const events = await projects.updates.events(id, after, limit);
  const isLast = events.length < limit || isTerminal(events.at(-1));
  const next = events.at(-1)?.seq ?? after;
  return { events: events.map(toEventBody), next, ended: isLast && hasEnded(update) };
}

async function isOver(
  { updates }: Pick<Projects, 'updates'>,
  id: Update['id'],
  after: number,
): Promise<boolean> {
  if (!hasEnded(await updates.get(id))) return false;
  return (await updates.events(id, after, 1)).length === 0;
}

type Sources = {
  readonly projects: Pick<Projects, 'updates' | 'onEvents'>;
  readonly clock: Clock;
  /** Whether the client may hear more. */
  readonly isStillIn: () => Promise<boolean>;
};

/** The stream of one client; `end` ends it in order. */
function openStream({ projects, clock, isStillIn }: Sources, id: Update['id'], after: number) {
  const bell = makeBell(clock);
  let isOpen = true;
  /** Since when it waits for the client to read; null: it does not. */
  let unreadSince: Instant | null = null;

  async function* tell(): AsyncGenerator<string, undefined> {
    let written = clock.now();
    const stopListening = projects.onEvents(id, bell.ring);
    const stopWatching = clock.every(HEARTBEAT_MS, cutStalled);
    try {
      // The first bytes send the headers, so that the client knows that it listens.
      yield* given(': listening\n\n');
      for await (const event of follow()) {
        if (event !== null) yield* given(toFrame(event));
        else if (clock.now() - written < HEARTBEAT_MS) continue;
        else yield* given(': still here\n\n');
        written = clock.now();
      }
    } finally {
      stopListening();
      stopWatching();
    }
    return undefined;
  }

  /** Every row once, in order; null now and then when there is none. */
  async function* follow(): AsyncGenerator<UpdateEvent | null, undefined> {
    let seq = after;
    // Asked before each look: whose token was revoked hears nothing of what happens afterwards.
    while (isOpen && (await isStillIn())) {
      const update = await projects.updates.get(id);
      const rows = await projects.updates.events(id, seq, PAGE);
      yield* rows;
      seq = rows.at(-1)?.seq ?? seq;
      if (rows.some(isTerminal)) return undefined;
      if (rows.length > 0) continue;
      // It had ended before there was nothing to read any more: nothing will come.
      if (hasEnded(update)) return undefined;
      yield null;
      await bell.heard(LOOK_MS);
    }
    return undefined;
  }

  function* given(chunk: string): Generator<string, undefined> {
    unreadSince = clock.now();
    yield chunk;
    unreadSince = null;
    return undefined;
  }

  function cutStalled(): void {
    if (unreadSince !== null && clock.now() - unreadSince >= STALLED_MS) stream.destroy();
  }

  function end(): void {
    isOpen = false;
    bell.ring();
  }

  const stream = Readable.from(tell(), { objectMode: false, highWaterMark: MOST_UNREAD_BYTES });
  return { stream, end };
}

/** Whoever waits hears every ring, one that came while it was busy too. */
function makeBell(clock: Clock) {
  let hasRung = false;
  let wake: (() => void) | null = null;
  return {
    ring(): void {
      hasRung = true;
      wake?.();
    },
    async heard(limitMs: number): Promise<void> {
      if (!hasRung) {
        await new Promise<void>((resolve) => {
          const cancel = clock.after(limitMs, resolve);
          wake = () => {
            cancel();
            resolve();
          };
        });
        wake = null;
      }
      hasRung = false;
    },
  };
}

function toFrame(event: UpdateEvent): string {
  return `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(toEventBody(event))}\n\n`;
}

const TERMINAL: ReadonlySet<string> = new Set(['update.completed', 'update.failed', 'update.cancelled']);

function isTerminal(event: UpdateEvent | undefined): boolean {
  return event !== undefined && TERMINAL.has(event.type);
}

const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

function hasEnded(update: Update | null): boolean {
  return update === null || ENDED.has(update.status);
}
