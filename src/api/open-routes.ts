import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { HealthReport } from '../telemetry/health.ts';
import { type Login, refuseLogin } from './login.ts';
import { sendProblem } from './problems.ts';
import { problemBody, toIso } from './wire.ts';

const health = z.object({
  status: z.literal('healthy'),
  version: z.string(),
  timestamp: z.iso.datetime(),
  uptime_seconds: z.number(),
});
const ready = z.object({ status: z.literal('ready'), ready: z.literal(true), reasons: z.array(z.string()) });
const notReady = problemBody.extend({ ready: z.literal(false), reasons: z.array(z.string()) });

const proof = z.union([
  z.strictObject({ token: z.string().min(1).max(1_000) }),
  z.strictObject({ code: z.string().min(1).max(1_000) }),
]);

/** The routes that need no login: they hold no data. */
export function openRoutes(deps: {
  readonly health: HealthReport;
  readonly login: Pick<Login, 'exchange'>;
}): FastifyPluginAsyncZod {
  return async (scope) => {
    scope.get(
      '/health',
      { schema: { summary: 'The process runs', security: [], response: { 200: health } } },
      async () => {
        const { version, now, uptimeMs } = deps.health.health();
        return {
          status: 'healthy' as const,
          version,
          timestamp: toIso(now),
          uptime_seconds: uptimeMs / 1_000,
        };
      },
    );

    scope.get(
      '/ready',
      { schema: { summary: 'The server takes work', security: [], response: { 200: ready, 503: notReady } } },
      async (_request, reply) => {
        const { ready, reasons } = await deps.health.readiness();
        if (ready) return { status: 'ready' as const, ready, reasons: [] };
        return sendProblem(reply, 'not_ready', reasons.join('; '), { ready, reasons });
      },
    );

    scope.post(
      '/api/login',
      {
        schema: {
          summary: 'Change the admin token, or a single-use code, into a login cookie',
          security: [],
          body: proof,
          response: { 200: z.object({ status: z.literal('success'), expires_at: z.iso.datetime() }) },
        },
      },
      async (request, reply) => {
        const result = deps.login.exchange(request, request.body);
        if (typeof result === 'string') return refuseLogin(reply, result);
        reply.header('Set-Cookie', result.setCookie);
        return { status: 'success' as const, expires_at: toIso(result.expiresAt) };
      },
    );

    const retired = { schema: { hide: true } };
    scope.post('/files/register', retired, async (_request, reply) => sendProblem(reply, 'gone'));
    scope.get('/files/stats', retired, async (_request, reply) => sendProblem(reply, 'gone'));
  };
}
