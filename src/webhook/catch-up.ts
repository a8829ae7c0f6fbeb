/**
 * Looks for messages whose webhook did not come, or came when it could not be stored, and accepts them late: Campfire
 * sends each webhook once. At the start, after a refusal and every ten minutes; one round at a time.
 */
import type { Cancel, Clock } from '../base/clock.ts';
import { toError } from '../base/errors.ts';
import type { BotId, ConversationKey, Instant } from '../base/terms.ts';
import type { Bot, BotProblem, Bots } from '../bots/bots.ts';
import type { BotRooms, Chat, HeardMessage } from '../chat/chat.ts';
import type { AcceptOutcome, Inbox, IncomingMessage } from '../inbox/inbox.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { chooseMissed, decideNextRound, decideSince } from './decide-catch-up.ts';
import { toIncoming } from './incoming.ts';
import { closeGaps, toName } from './text.ts';

/** Rooms that one round looks through for one bot, where the chat does not know them itself. */
const MOST_ROOMS = 200;

export type CatchUpDeps = Telemetry & {
  readonly chat: Pick<Chat, 'name' | 'heard'>;
  readonly bots: Pick<Bots, 'all'>;
  readonly botRooms: Pick<BotRooms, 'of'>;
  readonly known: Inbox['known'];
  /** The same door as the webhook's: a webhook that comes at the same time is a duplicate, or this is. */
  accept(message: IncomingMessage): Promise<AcceptOutcome>;
  wake(conversation: ConversationKey): void;
  /** When a server on this database first knew the bot. */
  firstSeen(bot: BotId): Promise<Instant>;
  /** `CATCH_UP_HOURS`; 0: missed messages stay missed. */
  readonly catchUpMs: number;
  readonly clock: Clock;
};

export type CatchUp = {
  start(): void;
  /** A message was refused because it could not be stored. */
  refused(): void;
  /** Says whose missed messages are lost, because their chat can be read in no way. */
  problems(): readonly BotProblem[];
  /** Begins no other round; one that runs ends before its next message. */
  close(): void;
};

export function makeCatchUp(deps: CatchUpDeps): CatchUp {
  const { clock, log } = deps;
  const lost = new Set<BotId>();
  let last: Parameters<typeof decideNextRound>[0]['last'] = null;
  let refusedAt: Instant | null = null;
  let isClosed = false;
  let cancel: Cancel = () => {};
  let isRunning = false;

  function plan(): void {
    cancel();
    if (isClosed || isRunning) return;
    const now = clock.now();
    cancel = clock.after(decideNextRound({ now, last, refusedAt }) - now, () => void runRound());
  }

  async function runRound(): Promise<void> {
    isRunning = true;
    const beganAt = clock.now();
    let isWhole = true;
    for (const bot of deps.bots.all()) {
      if (isClosed) return;
      if (!(await catchUp(bot))) isWhole = false;
    }
    last = { beganAt, endedAt: clock.now(), isWhole };
    isRunning = false;
    plan();
  }

  /** False when a part is to be looked for again. A database that is away is no reason to stop for good. */
  async function catchUp(bot: Bot): Promise<boolean> {
    try {
      const firstSeenAt = await deps.firstSeen(bot.id);
      const since = decideSince({ now: clock.now(), firstSeenAt, catchUpMs: deps.catchUpMs });
      const rooms = await deps.botRooms.of(deps.chat.name, bot.id, MOST_ROOMS);
      const heard = await deps.chat.heard({ botId: bot.id, since, rooms });
      if (heard.kind === 'unreadable') {
        lost.add(bot.id);
        return true;
      }
      lost.delete(bot.id);
      if (isClosed) return false;
      const known = await deps.known(deps.chat.name, bot.id, heard.messages);
      for (const message of chooseMissed(heard.messages, known, since)) {
        if (isClosed || !(await accept(bot, message))) return false;
      }
      return heard.isWhole;
    } catch (error) {
      log.error({ bot: bot.id, err: toError(error) }, 'missed messages could not be looked for');
      return false;
    }
  }

  /** False when there is no place for it now. */
  async function accept(bot: Bot, message: HeardMessage): Promise<boolean> {
    const { roomId, userId, messageId, sentAt } = message;
    const incoming = toIncoming(deps.chat.name, bot, {
      roomId,
      roomName: message.roomName === null ? null : toName(message.roomName),
      userId,
      userName: toName(message.userName),
      messageId,
      text: closeGaps(message.plain, message.mentions),
      receivedAt: clock.now(),
      sentAt,
    });
    const outcome = await deps.accept(incoming);
    deps.metrics.lateMessages.inc({ outcome: outcome.kind });
    if (outcome.kind === 'accepted') deps.wake(incoming.conversation);
    log.info({ conversation: incoming.conversation, outcome: outcome.kind }, 'a missed message was found');
    return outcome.kind !== 'full';
  }

  return {
    start() {
      if (deps.catchUpMs > 0) plan();
    },
    refused() {
      if (deps.catchUpMs === 0) return;
      refusedAt = clock.now();
      plan();
    },
    problems: () => (lost.size === 0 ? [] : [toProblem([...lost])]),
    close() {
      isClosed = true;
      cancel();
    },
  };
}

function toProblem(bots: readonly BotId[]): BotProblem {
  const reason =
    `what is sent to ${bots.join(', ')} while the server is down is lost: ` +
    'this Campfire cannot be asked for it, and its database is not given or cannot be read';
  return { severity: 'warning', file: 'environment', field: 'CAMPFIRE_DB_PATH', reason };
}
