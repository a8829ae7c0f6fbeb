import type { FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEM_JSON, type ProblemKind, toProblemDetails } from '../base/problem.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** Why a webhook was not taken. The key goes into `X-Firekeeper-Error`; `docs/errors.md` lists them. */
export const REFUSALS = {
  bad_request: { status: 400, title: 'The request is not proper HTTP.' },
  not_json: { status: 400, title: 'The body is not JSON.' },
  not_an_object: { status: 400, title: 'The body is JSON, but not an object.' },
  wrong_token: { status: 401, title: 'The token in the address is missing or wrong.' },
  not_local: { status: 401, title: 'Without WEBHOOK_TOKEN only direct callers on this machine are heard.' },
  token_required: { status: 401, title: 'This payload carries no bot key, so it needs WEBHOOK_TOKEN.' },
  key_missing: { status: 401, title: 'room.path holds no bot key, and this bot has one configured.' },
  wrong_key: { status: 401, title: "The bot key in room.path is not this bot's." },
  foreign_key: { status: 403, title: "The bot key in room.path is another bot's." },
  foreign_host: { status: 403, title: 'The Host header names neither this server nor PUBLIC_URL.' },
  foreign_origin: { status: 403, title: 'The request comes from a page of another origin.' },
  unknown_bot: { status: 404, title: 'There is no bot with this id.' },
  no_default_bot: { status: 404, title: 'No bot is named and none is marked default.' },
  not_found: { status: 404, title: 'There is no such webhook address.' },
  method_not_allowed: { status: 405, title: 'A webhook is a POST.' },
  too_large: { status: 413, title: 'The body is larger than 10 MB.' },
  not_json_type: { status: 415, title: 'The Content-Type is not application/json.' },
  invalid_fields: { status: 422, title: 'A field is missing or has the wrong type.' },
  room_mismatch: { status: 422, title: 'room.path names another room than room.id.' },
  internal_error: { status: 500, title: 'The server failed.' },
  too_many_waiting: { status: 503, title: 'Too many messages wait already; send it again later.' },
  not_stored: { status: 503, title: 'The message could not be stored in time; send it again.' },
} as const satisfies Record<string, ProblemKind>;

export type RefusalCode = keyof typeof REFUSALS;

/**
 * Answers a refused webhook: the status, the code as a header, no body and no Content-Type, because Campfire posts
 * any body and any typed answer into the room. Only a caller that asks for JSON reads problem details.
 */
export type Refuse = (request: FastifyRequest, reply: FastifyReply, code: RefusalCode) => FastifyReply;

const RETRY_AFTER_SECONDS = '5';

export function makeRefuse({ log, metrics }: Telemetry): Refuse {
  return (request, reply, code) => {
    const kind = REFUSALS[code];
    metrics.webhooks.inc({ status: String(kind.status), reason: code });
    log.warn({ status: kind.status, reason: code }, 'webhook refused');
    reply.code(kind.status).header('X-Firekeeper-Error', code);
    if (kind.status === 503) reply.header('Retry-After', RETRY_AFTER_SECONDS);
    if (kind.status === 405) reply.header('Allow', 'POST');
    if (!asksForJson(request.headers.accept)) return reply.removeHeader('content-type').send();
    return reply.type(PROBLEM_JSON).send(JSON.stringify(toProblemDetails(code, kind)));
  };
}

/** Campfire sends any type at all (`Accept` with two stars), so a wildcard asks for nothing. */
function asksForJson(accept: string | undefined): boolean {
  return accept !== undefined && /\bapplication\/(?:problem\+)?json\b/i.test(accept);
}
