/**
 * The front door: verify, parse, accept, answer at once. A webhook is answered 200 after its message is committed, and
 * no answer of any status has a body or a Content-Type (a caller that asks for JSON may read why it was refused).
 */
import type { FastifyPluginAsync, FastifySchema } from 'fastify';
import type { Clock } from '../base/clock.ts';
import { makeSecretMatcher } from '../base/secret.ts';
import type { ChatName, ConversationKey } from '../base/terms.ts';
import type { Bots } from '../bots/bots.ts';
import type { BotKeys, BotRooms, RoomStore } from '../chat/chat.ts';
import type { AcceptOutcome, IncomingMessage } from '../inbox/inbox.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { decideAdmission } from './admission.ts';
import { webhookBody } from './payload.ts';
import { makeReceive, textOf } from './receive.ts';
import { makeRefuse, REFUSALS, type RefusalCode, type Refuse } from './refusals.ts';
import { toPersonMessage } from './room-message.ts';
import { toName, toText } from './text.ts';

export type WebhookDeps = Telemetry & {
  readonly bots: Bots;
  /** Resolves when the message is on disk; rejects when it cannot be stored. */
  readonly accept: (message: IncomingMessage) => Promise<AcceptOutcome>;
  /** Something waits for a turn of this conversation. Must not throw. */
  readonly wake: (conversation: ConversationKey) => void;
  /** The chat that webhooks come from. */
  readonly chat: ChatName;
  readonly botKeys: BotKeys;
  readonly botRooms: Pick<BotRooms, 'note'>;
  /** A message was refused because it could not be stored: the chat has it, and nobody will send it again. */
  readonly notStored: () => void;
  /** `WEBHOOK_TOKEN`; null: callers must be local. */
  readonly webhookToken: string | null;
  /** `BOT_KEY` */
  readonly envBotKey: string | null;
  /** Where an accepted message is shown; null where the chat shows it itself. */
  readonly roomMessages: Pick<RoomStore, 'add'> | null;
  readonly clock: Clock;
};

/** 10 MB; Campfire sends 100,000 characters as 600 kB of JSON. */
export const WEBHOOK_BODY_LIMIT = 10 * 1024 * 1024;

/** `POST /webhook`, `/webhook?bot_id=`, `/webhook/:botId`, each with `?token=`. */
export function webhookRoutes(deps: WebhookDeps): FastifyPluginAsync {
  return async (scope) => {
    const refuse = makeRefuse(deps);
    const receive = makeReceive(deps, refuse);
    const isToken = deps.webhookToken === null ? null : makeSecretMatcher(deps.webhookToken);

    // What is left is application/json; everything else is 415.
    scope.removeContentTypeParser('text/plain');

    // Before the body is read: a stranger's ten megabytes cost nothing.
    scope.addHook('onRequest', async (request, reply) => {
      const admission = decideAdmission({
        tokenMatches: isToken === null ? null : isToken(textOf(request.query, 'token') ?? ''),
        peer: request.socket.remoteAddress,
        headers: request.headers,
      });
      return admission === 'admitted' ? undefined : refuse(request, reply, admission);
    });
    // Without a Content-Type and without a body Fastify parses nothing.
    scope.addHook('preHandler', async (request, reply) =>
      request.headers['content-type'] === undefined ? refuse(request, reply, 'not_json_type') : undefined,
    );

    const options = { bodyLimit: WEBHOOK_BODY_LIMIT, schema: description, validatorCompiler: acceptAnything };
    scope.post('/webhook', options, receive);
    scope.post('/webhook/:botId', options, receive);
  };
}

/** Whether an address is meant for this door, however it is written: its answers must stay empty, errors included. */
export function isWebhookUrl(url: string): boolean {
  const path = url.replace(/^[a-z][a-z\d+.-]*:\/\/[^/]*/i, '').replace(/[?#;].*$/s, '');
  return /^[/\\]+webhook/i.test(decode(path));
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The body is described for readers and checked by hand: its errors are ours to answer. */
const description: FastifySchema = {
  summary: 'A message from the chat, in either payload shape',
  description:
    'Answered 200 once the message is on disk. Every answer is empty; X-Firekeeper-Error says why one was refused.',
  tags: ['webhook'],
  security: [],
  body: webhookBody,
};
const acceptAnything = () => (value: unknown) => ({ value });

export { type CatchUp, makeCatchUp } from './catch-up.ts';
export { makeOverloadGuard, type Overflow, type OverloadGuard } from './overload.ts';
export { makeRefuse, REFUSALS, type RefusalCode, type Refuse, toName, toPersonMessage, toText };
