import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';

/** Collects the description of every route that is registered afterwards. */
export function describeApi(http: FastifyInstance, version: string): void {
  http.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Firekeeper',
        version,
        description:
          'Runs Claude agents as members of a chat. Errors outside the webhook are RFC 9457 problem details with a stable `code`.',
      },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN' },
          projectToken: {
            type: 'http',
            scheme: 'bearer',
            description: 'A token of one project, from POST /v1/projects/:id/tokens',
          },
          cookie: { type: 'apiKey', in: 'cookie', name: 'firekeeper_login', description: 'POST /api/login' },
        },
      },
      security: [{ bearer: [] }, { cookie: [] }],
    },
    transform: jsonSchemaTransform,
  });
}
