/**
 * HTTP for operators and the page. `makeHttp` (`http.ts`) guards every route; here stand the open ones (health, login,
 * the page's files) and, behind the admin token, everything that shows or changes something.
 */
import fastifyStatic from '@fastify/static';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyPluginAsync } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Clock } from '../base/clock.ts';
import type { Bots } from '../bots/bots.ts';
import type { HealthReport } from '../telemetry/health.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { TurnStore } from '../turn/turn.ts';
import { type EventSources, eventRoutes } from './events.ts';
import { type LocalRoomDeps, localRoomRoutes } from './local-room.ts';
import type { Login } from './login.ts';
import { openRoutes } from './open-routes.ts';
import { overviewRoutes } from './overview.ts';
import { type Forget, type Stats, statsRoutes } from './stats.ts';

export type ApiDeps = Telemetry &
  LocalRoomDeps &
  EventSources & {
    readonly login: Login;
    readonly health: HealthReport;
    /** Folder of the page's files; they are open to everybody and hold no data. */
    readonly webRoot: string;
    readonly bots: Bots;
    readonly stats: Stats;
    readonly forget: Forget;
    readonly turns: Pick<TurnStore, 'recent'>;
    readonly clock: Clock;
  };

/** Scripts and styles only from here; Swagger UI sets styles of its own and draws with data: images. */
const PAGE_CSP = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";
const DOCS_CSP = `${PAGE_CSP}; style-src 'self' 'unsafe-inline'`;

export function apiRoutes(deps: ApiDeps): FastifyPluginAsync {
  return async (scope) => {
    scope.setValidatorCompiler(validatorCompiler);
    scope.setSerializerCompiler(serializerCompiler);
    scope.addHook('onRequest', async (_request, reply) => {
      reply.headers({
        'Content-Security-Policy': PAGE_CSP,
        'X-Content-Type-Options': 'nosniff',
        'Referrer-Policy': 'no-referrer',
        'Cache-Control': 'no-store',
      });
    });

    scope.register(openRoutes(deps));
    scope.register(fastifyStatic, {
      root: deps.webRoot,
      wildcard: false,
      dotfiles: 'deny',
      cacheControl: false,
    });

    scope.register(async (closed) => {
      closed.addHook('onRequest', deps.login.require);
      closed.register(overviewRoutes(deps));
      closed.register(statsRoutes(deps));
      closed.register(eventRoutes(deps));
      closed.register(localRoomRoutes(deps));
      closed.get('/openapi.json', { schema: { hide: true } }, async () => closed.swagger());
      closed.register(swaggerUi, { routePrefix: '/docs', staticCSP: DOCS_CSP });
    });
  };
}
