import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ADMIN_USER } from '../../projects/projects.ts';
import { sendProblem } from '../problems.ts';
import { tokenBody, toTokenBody, userName } from './project-body.ts';
import type { Door } from './project-routes.ts';
import { idParams } from './projects.ts';
import { newProjectToken } from './who-asks.ts';

const addRoute = {
  schema: {
    summary: 'Make a token that is good for this project, as one user',
    description: '`token` is shown here and never again: only its hash is kept.',
    params: idParams,
    body: z.strictObject({
      user_id: userName.refine((name) => name !== ADMIN_USER, 'this name is the administrator'),
      label: z.string().trim().max(100).default('').describe('For people, such as what it is used by'),
    }),
    response: { 201: tokenBody.extend({ token: z.string() }) },
  },
};

const listRoute = {
  schema: {
    summary: "A project's tokens, revoked ones too",
    params: idParams,
    response: { 200: z.object({ tokens: z.array(tokenBody) }) },
  },
};

const revokeRoute = {
  schema: {
    summary: 'Revoke a token: it is good for nothing from now on',
    params: idParams.extend({ token: z.coerce.number().int() }),
    response: { 200: z.object({ id: z.int(), revoked: z.literal(true) }) },
  },
};

/** For the administrator. */
export function tokenRoutes({ projects, who }: Door): FastifyPluginAsyncZod {
  const { records } = projects;
  return async (scope) => {
    scope.post('/v1/projects/:id/tokens', addRoute, async (request, reply) => {
      const { user_id: userId, label } = request.body;
      const { token, hash } = newProjectToken();
      const added = await records.addToken({ projectId: who.projectOf(request).id, userId, label, hash });
      return reply.code(201).send({ ...toTokenBody(added), token });
    });

    scope.get('/v1/projects/:id/tokens', listRoute, async (request) => {
      const tokens = await records.tokens(who.projectOf(request).id);
      return { tokens: tokens.map(toTokenBody) };
    });

    scope.delete('/v1/projects/:id/tokens/:token', revokeRoute, async (request, reply) => {
      const { token } = request.params;
      const isRevoked = await records.revokeToken(who.projectOf(request).id, token);
      return isRevoked ? { id: token, revoked: true as const } : sendProblem(reply, 'unknown_token');
    });
  };
}
