import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { unreachable } from '../../base/errors.ts';
import type { UpdateId } from '../../projects/projects.ts';
import { toPage } from '../pages.ts';
import { sendProblem } from '../problems.ts';
import { enqueueHeaders, makeEnqueue, sendQueued } from './enqueue.ts';
import { userName } from './project-body.ts';
import type { Door } from './project-routes.ts';
import { idParams } from './projects.ts';
import {
  etagOf,
  MOST_PROMPT_BYTES,
  runBody,
  statuses,
  toRunBody,
  toUpdateBody,
  updateBody,
} from './update-body.ts';

/** The longest prompt with every character escaped. */
const BODY_LIMIT = 512 * 1024;
const MOST_UPDATES = 200;

export const actorBody = {
  user_id: userName.optional().describe('Whom the administrator acts for; a project token has its own user'),
};

const addRoute = {
  bodyLimit: BODY_LIMIT,
  schema: {
    summary: 'Queue an update of a project',
    description: `Its prompt is at most ${MOST_PROMPT_BYTES / 1_024} KiB of UTF-8. \`If-Match\` is checked now and when the update starts.`,
    params: idParams,
    headers: enqueueHeaders,
    body: z.strictObject({
      prompt: z.string().refine((text) => text.trim().length > 0, 'the prompt is empty'),
      resume: z.enum(['auto', 'never', 'require']).default('auto'),
      metadata: z
        .strictObject({ recommendations: z.boolean().optional(), documentation: z.boolean().optional() })
        .default({})
        .describe("What is not given is as the project's policy says"),
      compact: z.enum(['auto', 'never']).default('auto'),
      ...actorBody,
    }),
    response: { 202: updateBody },
  },
};

const listRoute = {
  schema: {
    summary: "A project's updates, newest first",
    params: idParams,
    querystring: z.object({
      status: statuses.optional(),
      limit: z.coerce.number().int().min(1).max(MOST_UPDATES).default(50),
      before: z.coerce.number().int().positive().optional().describe('`next` of the page before'),
    }),
    response: { 200: z.object({ updates: z.array(updateBody), next: z.int().nullable() }) },
  },
};

export function updateRoutes(door: Door): FastifyPluginAsyncZod {
  const { projects, who } = door;
  const enqueue = makeEnqueue(door);
  return async (scope) => {
    scope.post('/v1/projects/:id/updates', addRoute, async (request, reply) => {
      const { prompt, resume, metadata, compact, user_id: userId } = request.body;
      const { recommendations = null, documentation = null } = metadata;
      const update = await enqueue(request, reply, who.projectOf(request), {
        kind: 'update',
        prompt,
        options: { resume, recommendations, documentation, compact },
        userId,
        headers: request.headers,
      });
      return update === null ? reply : sendQueued(reply, update);
    });

    scope.get('/v1/projects/:id/updates', listRoute, async (request) => {
      const { status = null, limit, before } = request.query;
      // Any number will do: a mark is only compared.
      const query = { status, before: (before as UpdateId | undefined) ?? null, limit: limit + 1 };
      const found = await projects.updates.list(who.projectOf(request).id, query);
      const { page, next } = toPage(found, limit, ({ id }) => id);
      return { updates: page.map(toUpdateBody), next };
    });
  };
}

const oneRoute = {
  schema: {
    summary: 'One update: how far it is and how it ended',
    description: '`ETag` changes with it; `If-None-Match` spares the body.',
    params: idParams,
    response: { 200: updateBody },
  },
};

const runsRoute = {
  schema: {
    summary: 'The agent processes of an update, with what each took',
    params: idParams,
    response: { 200: z.object({ runs: z.array(runBody) }) },
  },
};

const cancelRoute = {
  schema: {
    summary: 'Cancel an update',
    description: '200: it is cancelled, or was. 202: it runs, and was asked to end.',
    params: idParams,
    response: { 200: updateBody, 202: updateBody },
  },
};

export function oneUpdateRoutes({ projects, who }: Door): FastifyPluginAsyncZod {
  return async (scope) => {
    scope.get('/v1/updates/:id', oneRoute, async (request, reply) => {
      const body = toUpdateBody(who.updateOf(request));
      const etag = etagOf(body);
      reply.headers({ ETag: etag, 'Cache-Control': 'private, no-cache' });
      return isKnown(request, etag) ? sendNotModified(reply) : body;
    });

    scope.get('/v1/updates/:id/runs', runsRoute, async (request) => {
      const runs = await projects.updates.runs(who.updateOf(request).id);
      return { runs: runs.map(toRunBody) };
    });

    scope.post('/v1/updates/:id/cancel', cancelRoute, async (request, reply) => {
      const { id } = who.updateOf(request);
      const outcome = await projects.cancel(id);
      const update = await projects.updates.get(id);
      if (update === null || outcome === 'unknown_update') return sendProblem(reply, 'unknown_update');
      switch (outcome) {
        case 'cancelled':
        case 'already_cancelled':
          return toUpdateBody(update);
        case 'asked':
          return reply.code(202).send(toUpdateBody(update));
        case 'already_ended':
          return sendProblem(reply, 'already_ended', `the update is ${update.status}`);
        default:
          return unreachable(outcome);
      }
    });
  };
}

function isKnown({ headers }: FastifyRequest, etag: string): boolean {
  const known = headers['if-none-match']?.split(',').map((one) => one.trim().replace(/^W\//, '')) ?? [];
  return known.includes(etag) || known.includes('*');
}

function sendNotModified(reply: FastifyReply): FastifyReply {
  return reply.code(304).send();
}
