import type { FastifyReply } from 'fastify';
import { PROBLEM_JSON, type ProblemDetails, type ProblemKind, toProblemDetails } from '../base/problem.ts';

/** Every error of the routes outside the webhook; `docs/errors.md` lists them. */
export const PROBLEMS = {
  bad_request: { status: 400, title: 'The request is not proper HTTP.' },
  not_json: { status: 400, title: 'The body is not JSON.' },
  idempotency_key_missing: {
    status: 400,
    title: 'The header Idempotency-Key is missing, or longer than 128 characters.',
  },
  login_required: {
    status: 401,
    title: 'This needs the admin token, as a bearer token or as a login cookie.',
  },
  wrong_token: { status: 401, title: 'The admin token is wrong.' },
  wrong_project_token: { status: 401, title: 'The project token is unknown or revoked.' },
  wrong_code: { status: 401, title: 'The login code is unknown, used or too old.' },
  foreign_host: { status: 403, title: 'The Host header names neither this server nor PUBLIC_URL.' },
  foreign_origin: { status: 403, title: 'The request comes from a page of another origin.' },
  admin_only: { status: 403, title: 'This needs the admin token; a project token does not do.' },
  foreign_user: { status: 403, title: 'The caller may not act for this user in this project.' },
  not_found: { status: 404, title: 'There is nothing at this address.' },
  unknown_bot: { status: 404, title: 'There is no bot with this id.' },
  no_default_bot: { status: 404, title: 'No bot is named and none is marked default.' },
  unknown_conversation: { status: 404, title: 'There is no conversation with this key.' },
  unknown_reply: { status: 404, title: 'There is no reply with this id.' },
  unknown_message: { status: 404, title: 'There is no message with this id.' },
  unknown_project: { status: 404, title: 'There is no project with this id.' },
  unknown_update: { status: 404, title: 'There is no update with this id.' },
  unknown_version: { status: 404, title: 'The project has no version with this number.' },
  unknown_token: { status: 404, title: 'The project has no live token with this id.' },
  not_builtin: { status: 409, title: 'The built-in room exists only without CAMPFIRE_URL.' },
  not_running: { status: 409, title: 'No turn of this conversation runs.' },
  busy: { status: 409, title: 'A turn of this conversation runs; try again when it has ended.' },
  not_live: { status: 409, title: 'No live agent serves this conversation now.' },
  not_available: { status: 409, title: 'This cannot be done here.' },
  not_buried: { status: 409, title: 'Only what is dead can be replayed.' },
  replayed_before: { status: 409, title: 'This was replayed before.' },
  forgotten: { status: 409, title: 'Its text was forgotten with its conversation.' },
  idempotency_conflict: { status: 409, title: 'This Idempotency-Key was used for another request.' },
  project_frozen: { status: 409, title: 'The project is frozen: it takes no updates now.' },
  project_busy: { status: 409, title: 'An update holds the project; try again when it has ended.' },
  already_ended: { status: 409, title: 'The update has ended already.' },
  gone: { status: 410, title: 'This route of the predecessor was given up.' },
  version_mismatch: { status: 412, title: 'The project is not at the expected version.' },
  too_large: { status: 413, title: 'The body is too large.' },
  uri_too_long: { status: 414, title: 'A part of the address is too long.' },
  not_json_type: { status: 415, title: 'The Content-Type is not application/json.' },
  invalid_fields: { status: 422, title: 'A field is missing or wrong.' },
  import_refused: { status: 422, title: 'The source of the project cannot be imported.' },
  upgrade_required: { status: 426, title: 'This address speaks WebSocket.' },
  too_many_attempts: { status: 429, title: 'Too many wrong tokens or codes; wait a minute.' },
  too_many_messages: { status: 429, title: 'Too many messages at once; wait for those before.' },
  queue_full: { status: 429, title: 'Too many updates of this project wait already.' },
  internal_error: { status: 500, title: 'The server failed.' },
  compact_failed: { status: 502, title: 'The agent could not shorten its memory; nothing of it is lost.' },
  not_stored: { status: 503, title: 'The message could not be stored in time; send it again.' },
  not_ready: { status: 503, title: 'The server takes no work now.' },
  too_many_listeners: { status: 503, title: 'Too many clients listen already.' },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;

/** Answers with problem details; `more` are extension members. */
export function sendProblem(
  reply: FastifyReply,
  code: ProblemCode,
  detail?: string,
  more?: Readonly<Record<string, unknown>>,
): FastifyReply {
  const details: ProblemDetails = toProblemDetails(code, PROBLEMS[code], detail);
  return reply
    .code(details.status)
    .type(PROBLEM_JSON)
    .send(JSON.stringify({ ...details, ...more }));
}
