import type { Socket } from 'node:net';
import { fastifyCookie } from '@fastify/cookie';
import { fastifyWebsocket } from '@fastify/websocket';
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { isWebhookUrl, makeRefuse, type RefusalCode } from '../webhook/webhook.ts';
import { decideGuard } from './guard.ts';
import { type Login, refuseLogin } from './login.ts';
import { describeApi } from './openapi.ts';
import { type ProblemCode, sendProblem } from './problems.ts';
import type { ClientSocket } from './socket.ts';

export type HttpDeps = Telemetry & {
  /** `HOST` */
  readonly host: string;
  /** `PUBLIC_URL` */
  readonly publicUrl: string | null;
  readonly version: string;
  readonly login: Pick<Login, 'check'>;
};

const API_BODY_LIMIT = 1024 * 1024;
/** How long a caller may take to send one request. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Room for a percent-encoded conversation key. */
const PARAM_LIMIT = 2_048;
/** The longest text that a client may write, every character escaped. */
const FRAME_LIMIT = API_BODY_LIMIT;

/**
 * The HTTP server before its routes: guards every route, and answers everything that no route answers (a bad request,
 * an unknown address, a thrown bug). Where a chat may be at the other end that answer is empty and has no Content-Type.
 */
export function makeHttp(deps: HttpDeps): FastifyInstance {
  const refuse = makeRefuse(deps);
  const publicUrl = deps.publicUrl === null ? null : new URL(deps.publicUrl);

  /** One answer for both doors: empty for a chat, problem details for everybody else. */
  function answer(request: FastifyRequest, reply: FastifyReply, failure: Failure): FastifyReply {
    if (isWebhookUrl(request.url)) return refuse(request, reply, failure.webhook);
    return sendProblem(reply, failure.api, failure.detail);
  }

  function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const failure = toFailure(error);
    if (failure.api === 'internal_error') deps.log.error({ err: error }, 'request failed');
    return answer(request, reply, failure);
  }

  const http: FastifyInstance = fastify({
    logger: false,
    trustProxy: false,
    bodyLimit: API_BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Fastify's own answer while closing has a body; ours runs on into a closed database, which is an empty 503.
    return503OnClosing: false,
    routerOptions: { maxParamLength: PARAM_LIMIT, ignoreTrailingSlash: true },
    clientErrorHandler: answerBrokenRequest,
    http: { shouldUpgradeCallback: ({ method, url }) => method === 'GET' && isSocketUrl(url) },
    // Before there is a route; its request and reply are the usual ones under a wider type.
    frameworkErrors: (error, request, reply) => {
      answerError(error, request as FastifyRequest, reply as FastifyReply);
    },
  });

  describeApi(http, deps.version);
  // Only for its reading and writing of the headers; most requests, the webhooks, have no cookie to parse.
  http.register(fastifyCookie, { hook: false });
  // Before every hook: it closes the connections of refused upgrades. Whoever serves sockets ends them.
  http.register(fastifyWebsocket, {
    options: { maxPayload: FRAME_LIMIT },
    preClose: (done) => done(),
    errorHandler: (_error, socket: ClientSocket) => socket.terminate(),
  });

  http.addHook('onRequest', async (request, reply) => {
    const decision = decideGuard({
      headers: request.headers,
      localAddress: request.socket.localAddress,
      host: deps.host,
      publicUrl,
    });
    return decision === 'pass' ? undefined : answer(request, reply, { webhook: decision, api: decision });
  });

  http.setErrorHandler(answerError);

  http.setNotFoundHandler((request, reply) => {
    if (isWebhookUrl(request.url))
      return refuse(request, reply, request.method === 'POST' ? 'not_found' : 'method_not_allowed');
    const login = deps.login.check(request);
    return login === 'logged-in' ? sendProblem(reply, 'not_found') : refuseLogin(reply, login);
  });
  return http;
}

/** Only these addresses are ever upgraded; any other request that asks for it is answered like its like. */
function isSocketUrl(url: string | undefined): boolean {
  return url?.startsWith('/ws/') ?? false;
}

type Failure = { readonly webhook: RefusalCode; readonly api: ProblemCode; readonly detail?: string };

/** Fastify's errors by code; any other one that was thrown is our bug. */
function toFailure(error: FastifyError): Failure {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return { webhook: 'too_large', api: 'too_large' };
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return { webhook: 'not_json_type', api: 'not_json_type' };
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return { webhook: 'not_json', api: 'not_json' };
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return { webhook: 'unknown_bot', api: 'uri_too_long' };
    case 'FST_ERR_VALIDATION':
      return { webhook: 'invalid_fields', api: 'invalid_fields', detail: error.message };
  }
  const isCallers = error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500;
  return isCallers
    ? { webhook: 'bad_request', api: 'bad_request' }
    : { webhook: 'internal_error', api: 'internal_error' };
}

/** What Node could not parse never becomes a request, so nobody knows who asked: the answer is empty. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = BROKEN_REQUESTS[error.code ?? ''] ?? '400 Bad Request';
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\nX-Firekeeper-Error: bad_request\r\n\r\n`,
  );
}

const BROKEN_REQUESTS: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
};
