import type { FastifyReply, FastifyRequest } from 'fastify';
import { within } from '../base/clock.ts';
import { toConversationKey } from '../base/conversation.ts';
import { toError } from '../base/errors.ts';
import { BUILTIN_CHAT, roomId, userId } from '../base/terms.ts';
import type { Bot } from '../bots/bots.ts';
import type { AcceptOutcome, IncomingMessage } from '../inbox/inbox.ts';
import { chooseBot } from './choose-bot.ts';
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
    if (typeof outcome === 'string') return refuse(request, reply, outcome);
    if (outcome.kind !== 'duplicate' && outcome.idReused) deps.metrics.messageIdsReused.inc();
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

    const message = toIncoming(deps, payload, bot);
    const outcome = await deps.accept(message);
    if (outcome.kind === 'duplicate') return outcome;
    await showInRoom(message);
    if (outcome.kind === 'accepted') deps.wake(message.conversation);
    return outcome;
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

function toIncoming(deps: Pick<WebhookDeps, 'chat' | 'clock'>, payload: Payload, bot: Bot): IncomingMessage {
  const room = roomId(payload.roomId);
  const user = userId(payload.userId);
  return {
    conversation: toConversationKey({
      chat: deps.chat,
      roomId: room,
      botId: bot.id,
      userId: bot.sessionScope === 'user' ? user : null,
    }),
    chat: deps.chat,
    roomId: room,
    roomName: payload.roomName,
    botId: bot.id,
    userId: user,
    userName: payload.userName,
    messageId: payload.messageId,
    text: payload.text,
    receivedAt: deps.clock.now(),
  };
}
