import { Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { toPage } from '../pages.ts';
import { sendProblem } from '../problems.ts';
import { enqueueHeaders, makeEnqueue, sendQueued } from './enqueue.ts';
import type { Door } from './project-routes.ts';
import { idParams } from './projects.ts';
import { updateBody } from './update-body.ts';
import { actorBody } from './updates.ts';
import { oneVersionBody, recommendationsBody, toVersionBody, versionBody } from './version-body.ts';

const MOST_VERSIONS = 200;

/** What is no number is a version that does not exist. */
const versionParams = idParams.extend({ no: z.coerce.number().int().positive().catch(0) });

const listRoute = {
  schema: {
    summary: "A project's versions, newest first",
    params: idParams,
    querystring: z.object({
      limit: z.coerce.number().int().min(1).max(MOST_VERSIONS).default(50),
      before: z.coerce.number().int().positive().optional().describe('`next` of the page before'),
    }),
    response: { 200: z.object({ versions: z.array(versionBody), next: z.int().nullable() }) },
  },
};

const oneRoute = {
  schema: { summary: 'One version', params: versionParams, response: { 200: oneVersionBody } },
};

const recommendationsRoute = {
  schema: {
    summary: 'What the agent would do next',
    description: '`state` tells `pending` from `failed` and `skipped`.',
    params: versionParams,
    response: { 200: recommendationsBody },
  },
};

const diffRoute = {
  schema: {
    summary: 'What changed up to this version, as a unified diff',
    params: versionParams,
    querystring: z.object({
      from: z.coerce.number().int().min(0).optional().describe('0: from nothing. Without it: the parent'),
    }),
    response: {
      200: z.object({
        from: z.int(),
        to: z.int(),
        diff: z.string(),
        cut: z.boolean().describe('It is longer than what is shown'),
      }),
    },
  },
};

const archiveRoute = {
  // A HEAD would run git for nobody.
  exposeHeadRoute: false,
  schema: { summary: 'The files of this version, as a tar archive', params: versionParams },
};

const restoreRoute = {
  schema: {
    summary: 'Queue a restore: a new version with the files of this one',
    params: versionParams,
    headers: enqueueHeaders,
    body: z.strictObject(actorBody).nullish(),
    response: { 202: updateBody },
  },
};

export function versionRoutes(door: Door): FastifyPluginAsyncZod {
  const { projects, who } = door;
  return async (scope) => {
    scope.get('/v1/projects/:id/versions', listRoute, async (request) => {
      const { limit, before = null } = request.query;
      const found = await projects.records.versions(who.projectOf(request).id, before, limit + 1);
      const { page, next } = toPage(found, limit, ({ no }) => no);
      return { versions: page.map(toVersionBody), next };
    });

    const find = (request: { readonly params: { readonly no: number } }) =>
      projects.records.version(who.projectOf(request).id, request.params.no);

    scope.get('/v1/projects/:id/versions/:no', oneRoute, async (request, reply) => {
      const version = await find(request);
      if (version === null) return sendProblem(reply, 'unknown_version');
      return { ...toVersionBody(version), documentation: version.metadata.documentation };
    });

    scope.get(
      '/v1/projects/:id/versions/:no/recommendations',
      recommendationsRoute,
      async (request, reply) => {
        const version = await find(request);
        if (version === null) return sendProblem(reply, 'unknown_version');
        const { state, recommendations } = version.metadata;
        return { state, recommendations: [...recommendations] };
      },
    );

    scope.get('/v1/projects/:id/versions/:no/diff', diffRoute, async (request, reply) => {
      const version = await find(request);
      if (version === null) return sendProblem(reply, 'unknown_version');
      const from = request.query.from ?? version.parentNo ?? 0;
      const diff = await projects.diff(version.projectId, from, version.no);
      if (diff === null) return sendProblem(reply, 'unknown_version');
      return { from, to: version.no, diff: diff.text, cut: diff.cut };
    });

    scope.get('/v1/projects/:id/versions/:no/archive', archiveRoute, async (request, reply) => {
      const version = await find(request);
      if (version === null) return sendProblem(reply, 'unknown_version');
      const name = `${version.projectId}-v${version.no}.tar`;
      reply.header('Content-Disposition', `attachment; filename="${name}"`);
      return reply
        .type('application/x-tar')
        .send(Readable.from(projects.archive(version), { objectMode: false }));
    });

    scope.register(restoreRoutes(door));
  };
}

function restoreRoutes(door: Door): FastifyPluginAsyncZod {
  const { projects, who } = door;
  const enqueue = makeEnqueue(door);
  return async (scope) => {
    scope.post('/v1/projects/:id/versions/:no/restore', restoreRoute, async (request, reply) => {
      const project = who.projectOf(request);
      const version = await projects.records.version(project.id, request.params.no);
      if (version === null) return sendProblem(reply, 'unknown_version');
      const update = await enqueue(request, reply, project, {
        kind: 'restore',
        prompt: null,
        options: { restoreVersion: version.no },
        userId: request.body?.user_id,
        headers: request.headers,
      });
      return update === null ? reply : sendQueued(reply, update);
    });
  };
}
