import type { FastifyReply, FastifyRequest } from 'fastify';
import { within } from '../base/clock.ts';
import { toError } from '../base/errors.ts';
import { BUILTIN_CHAT, type Instant, roomId, userId } from '../base/terms.ts';
import type { AcceptOutcome, IncomingMessage } from '../inbox/inbox.ts';
import { chooseBot } from './choose-bot.ts';
import { type Said, toIncoming } from './incoming.ts';
import { makeKeyring } from './keyring.ts';
import { type Payload, parsePayload } from './payload.ts';
import type { RefusalCode, Refuse } from './refusals.ts';
import { toPersonMessage } from './room-message.ts';
import type { WebhookDeps } from './webhook.ts';

/** Campfire gives up after 7 s and tells the room; we answer 503 well before. */
const STORE_LIMIT_MS = 3_000;

export type Receive = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** Takes a webhook whose caller was admitted: parse → bot → key → accept → 200 with nothing in it. */
export function makeReceive(deps: WebhookDeps, refuse: Refuse): Receive {
  const keyring = makeKeyring(deps);
  const isBuiltin = deps.chat === BUILTIN_CHAT;
  const flatIsAllowed = deps.webhookToken !== null || isBuiltin;

  return async function receive(request, reply) {
    const payload = parsePayload(request.body);
    if (typeof payload === 'string') return refuse(request, reply, payload);
    if (payload.shape === 'flat' && !flatIsAllowed) return refuse(request, reply, 'token_required');

    const outcome = await storeInTime(payload, namedBot(request));
    if (outcome === 'not_stored' || outcome === 'too_many_waiting') deps.notStored();
    if (typeof outcome === 'string') return refuse(request, reply, outcome);
    if ('idReused' in outcome && outcome.idReused) deps.metrics.messageIdsReused.inc();
    deps.metrics.webhooks.inc({ status: '200', reason: outcome.kind });
    return reply.code(200).send();
  };

  async function storeInTime(payload: Payload, named: Named): Promise<AcceptOutcome | RefusalCode> {
    try {
      const outcome = await within(deps.clock, STORE_LIMIT_MS, store(payload, named));
      return outcome === 'timed-out' ? 'not_stored' : outcome;
    } catch (error) {
      // Whatever stood in the way, the row is not on disk, and the caller is the only one who still has the message.
      deps.log.error({ err: toError(error) }, 'webhook not stored');
      return 'not_stored';
    }
  }

  async function store(payload: Payload, named: Named): Promise<AcceptOutcome | RefusalCode> {
    const asksByKey = !named.path && !named.query && payload.key !== null;
    const keyOwner = asksByKey ? await keyring.owner(payload.key) : null;
    const bot = chooseBot({ ...named, keyOwner, envBotKey: deps.envBotKey }, deps.bots);
    if (typeof bot === 'string') return bot;

    const keyIsRequired = payload.shape === 'campfire' && !isBuiltin;
    const key = await keyring.check(bot, payload.key, keyIsRequired);
    if (key !== 'good') return key;

    const message = toIncoming(deps.chat, bot, toSaid(payload, deps.clock.now()));
    const [outcome] = await Promise.all([deps.accept(message), noteRoom(payload, message)]);
    if (outcome.kind === 'full') return 'too_many_waiting';
    if (outcome.kind === 'duplicate') return outcome;
    await showInRoom(message);
    if (outcome.kind === 'accepted') deps.wake(message.conversation);
    return outcome;
  }

  /** Only what Campfire itself sent says where the bot is, and which rooms have no name because they are direct. */
  async function noteRoom(payload: Payload, message: IncomingMessage): Promise<void> {
    if (payload.shape === 'campfire' && !isBuiltin)
      await deps.botRooms.note(deps.chat, message.botId, message);
  }

  /** Accepted is accepted: a message that the page cannot show is answered all the same. */
  async function showInRoom(message: IncomingMessage): Promise<void> {
    if (deps.roomMessages === null) return;
    try {
      await deps.roomMessages.add(toPersonMessage({ ...message, at: message.receivedAt }));
    } catch (error) {
      deps.metrics.webhooks.inc({ status: '200', reason: 'not_shown' });
      deps.log.error({ err: toError(error) }, 'accepted message not shown in the built-in room');
    }
  }
}

type Named = { readonly path: string | undefined; readonly query: string | undefined };

function namedBot(request: FastifyRequest): Named {
  return { path: textOf(request.params, 'botId'), query: textOf(request.query, 'bot_id') };
}

/** One text of the router's parameters; a repeated one is none. */
export function textOf(from: unknown, name: string): string | undefined {
  if (typeof from !== 'object' || from === null) return undefined;
  const value: unknown = Reflect.get(from, name);
  return typeof value === 'string' ? value : undefined;
}

function toSaid(payload: Payload, receivedAt: Instant): Said {
  const { roomName, userName, messageId, text } = payload;
  return {
    roomId: roomId(payload.roomId),
    roomName,
    userId: userId(payload.userId),
    userName,
    messageId,
    text,
    receivedAt,
  };
}
