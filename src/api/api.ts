/**
 * HTTP for operators and the page. `makeHttp` (`http.ts`) guards every route; here stand the open ones (health, login,
 * the page's files) and, behind the admin token, everything that shows or changes something.
 */
import fastifyStatic from '@fastify/static';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Clock } from '../base/clock.ts';
import type { Bots } from '../bots/bots.ts';
import type { RoomStore } from '../chat/chat.ts';
import type { Projects } from '../projects/projects.ts';
import type { HealthReport } from '../telemetry/health.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { TurnStore } from '../turn/turn.ts';
import { type CostRoutesDeps, costRoutes } from './costs.ts';
import { type EventSources, eventRoutes } from './events.ts';
import type { Forget } from './forget.ts';
import { type InboxRoutesDeps, inboxRoutes } from './inbox.ts';
import { localRoomRoutes } from './local-room.ts';
import type { Login } from './login.ts';
import { openRoutes } from './open-routes.ts';
import { type OutboxRoutesDeps, outboxRoutes } from './outbox.ts';
import { overviewRoutes } from './overview.ts';
import { projectRoutes } from './projects/project-routes.ts';
import { type SessionRoutesDeps, sessionRoutes } from './sessions.ts';
import { socketRoutes } from './socket.ts';
import { type Stats, statsRoutes } from './stats.ts';
import { type SteerDeps, steerRoutes } from './steer.ts';
import { transcriptRoutes } from './transcripts.ts';
import { makeWriteMessage, type WriteDeps } from './write-message.ts';

/** What the routes of sessions and messages need: the command line has them without a server too. */
export type OperatorDeps = SessionRoutesDeps & SteerDeps & InboxRoutesDeps & OutboxRoutesDeps;

export type ApiDeps = Telemetry &
  OperatorDeps &
  WriteDeps &
  EventSources &
  CostRoutesDeps & {
    readonly login: Login;
    readonly health: HealthReport;
    /** Folder of the page's files; they are open to everybody and hold no data. */
    readonly webRoot: string;
    readonly bots: Bots;
    /** Null when the chat is not the built-in one. */
    readonly rooms: RoomStore | null;
    readonly stats: Stats;
    readonly forget: Forget;
    readonly turns: Pick<TurnStore, 'recent'>;
    readonly projects: Projects;
    readonly clock: Clock;
  };

/** Scripts and styles only from here; Swagger UI sets styles of its own and draws with data: images. */
const PAGE_CSP = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";
const DOCS_CSP = `${PAGE_CSP}; style-src 'self' 'unsafe-inline'`;

export function apiRoutes(deps: ApiDeps): FastifyPluginAsync {
  return async (scope) => {
    speakZod(scope);
    const writeMessage = makeWriteMessage(deps);
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

    scope.register(projectRoutes(deps));

    scope.register(async (closed) => {
      closed.addHook('onRequest', deps.login.require);
      closed.register(overviewRoutes(deps));
      closed.register(statsRoutes(deps));
      closed.register(costRoutes(deps));
      closed.register(operatorRoutes(deps));
      closed.register(eventRoutes(deps));
      closed.register(localRoomRoutes({ ...deps, writeMessage }));
      closed.register(socketRoutes({ ...deps, writeMessage }));
      closed.get('/openapi.json', { schema: { hide: true } }, async () => closed.swagger());
      closed.register(swaggerUi, { routePrefix: '/docs', staticCSP: DOCS_CSP });
    });
  };
}

/** Looking at sessions and messages, and steering them. The caller has checked who asks. */
export function operatorRoutes(deps: OperatorDeps): FastifyPluginAsync {
  return async (scope) => {
    speakZod(scope);
    scope.register(sessionRoutes(deps));
    scope.register(transcriptRoutes(deps));
    scope.register(steerRoutes(deps));
    scope.register(inboxRoutes(deps));
    scope.register(outboxRoutes(deps));
  };
}

/** Routes are checked and answered by their zod schemas. */
function speakZod(scope: FastifyInstance): void {
  scope.setValidatorCompiler(validatorCompiler);
  scope.setSerializerCompiler(serializerCompiler);
}

export type {
  InboxQuery,
  InboxViews,
  OutboxQuery,
  OutboxViews,
  ReplayOutcome,
  ReplyReplay,
  SeenMessage,
  SeenReply,
  SessionMark,
  SessionViews,
  Spent,
  TranscriptPage,
} from './views.ts';
