/** Keeps a flood out of the queue: by rate, by how many wait in a conversation, by how many wait in all. */
import type { Clock } from '../base/clock.ts';
import type { Instant, UserId } from '../base/terms.ts';
import type { Bot, Bots } from '../bots/bots.ts';
import type { AcceptOutcome, IncomingMessage } from '../inbox/inbox.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { decideOverload, type Overload, RATES, type Rate } from './decide-overload.ts';
import { makeTokenBuckets, type TokenBuckets } from './token-buckets.ts';

/** Of each kind; at so many in a minute the bots' own rates have long run out. */
const MOST_KEYS = 10_000;
/** How many wait in all is counted so often; what is accepted in between is added. */
const COUNTED_FOR_MS = 1_000;
const NOTICES_APART_MS = 60_000;

/** Where messages are stored for which there may be no place. */
export type Overflow = {
  /**
   * It waits for its turn when fewer than `mostWaiting` of its conversation do (null: in any case); else it is
   * `overloaded`: settled, and `notice` (Markdown; null: nobody is told) is owed unless its room was given one since
   * `noticedSince`. One transaction.
   */
  acceptUnlessFull(
    message: IncomingMessage,
    limit: {
      readonly mostWaiting: number | null;
      readonly notice: string | null;
      readonly noticedSince: Instant;
    },
  ): Promise<AcceptOutcome>;
};

export type OverloadDeps = {
  /** `FLOOD_LIMITS`; null: none but the one of all that wait. */
  readonly limits: {
    readonly perMinute: Readonly<Record<Rate, number>>;
    readonly waitingInConversation: number;
  } | null;
  readonly overflow: Overflow;
  /** How many messages wait in all. */
  countWaiting(): Promise<number>;
  readonly bots: Pick<Bots, 'get'>;
  isCommand(text: string): boolean;
  /** Whether this is one of our own bots. */
  isOurs(user: UserId): boolean;
  noticeText(kind: 'overloaded', bot: Bot): string;
  /** Replies were committed: the sender may look. */
  owed(): void;
  readonly clock: Clock;
  readonly metrics: Metrics;
};

type Accept = (message: IncomingMessage) => Promise<AcceptOutcome>;

export type OverloadGuard = {
  /** The front door: what is over its rate goes no further than this. */
  admit(accept: Accept): Accept;
  /** The way into the queue of those that wait for a turn. */
  readonly acceptWaiting: Accept;
};

export function makeOverloadGuard(deps: OverloadDeps): OverloadGuard {
  const { clock, metrics } = deps;
  const bucketsOf = (rate: Rate): TokenBuckets =>
    makeTokenBuckets(deps.limits?.perMinute[rate] ?? Number.MAX_SAFE_INTEGER, MOST_KEYS);
  const buckets = { user: bucketsOf('user'), room: bucketsOf('room'), bot: bucketsOf('bot') };
  /** As it was counted last, and what was accepted since. */
  let waiting = 0;
  let countedAt: Instant | null = null;

  async function count(): Promise<void> {
    const now = clock.now();
    if (countedAt !== null && now >= countedAt && now - countedAt < COUNTED_FOR_MS) return;
    waiting = await deps.countWaiting();
    countedAt = now;
  }

  /** Awaits nothing: of messages that come at once each finds what those before it have left. */
  function decide(message: IncomingMessage): Overload {
    const now = clock.now();
    const keys = keysOf(message);
    const decision = decideOverload({
      isOurs: deps.isOurs(message.userId),
      isLate: message.sentAt !== undefined,
      isCommand: deps.isCommand(message.text),
      waiting,
      empty: new Set(RATES.filter((rate) => buckets[rate].isEmpty(keys[rate], now))),
    });
    if (decision.kind === 'pass') for (const rate of decision.costs) buckets[rate].take(keys[rate], now);
    return decision;
  }

  function giveBack(message: IncomingMessage, costs: readonly Rate[]): void {
    const keys = keysOf(message);
    for (const rate of costs) buckets[rate].giveBack(keys[rate], clock.now());
  }

  async function acceptWithin(message: IncomingMessage, mostWaiting: number | null): Promise<AcceptOutcome> {
    const outcome = await deps.overflow.acceptUnlessFull(message, {
      mostWaiting,
      notice: noticeFor(message),
      noticedSince: clock.now() - NOTICES_APART_MS,
    });
    if (outcome.kind === 'overloaded') deps.owed();
    return outcome;
  }

  /** Whoever is not to be answered is told nothing. */
  function noticeFor({ botId, roomId, userId }: IncomingMessage): string | null {
    const bot = deps.bots.get(botId);
    if (bot === null) return null;
    const isAllowed = bot.allowedRooms?.has(roomId) !== false && bot.allowedUsers?.has(userId) !== false;
    return isAllowed ? deps.noticeText('overloaded', bot) : null;
  }

  return {
    admit: (accept) => async (message) => {
      await count();
      const decision = decide(message);
      if (decision.kind === 'full') {
        metrics.overloads.inc({ limit: 'waiting' });
        return { kind: 'full' };
      }
      if (decision.kind === 'over') {
        const outcome = await acceptWithin(message, 0);
        if (outcome.kind === 'overloaded') metrics.overloads.inc({ limit: decision.rate });
        return outcome;
      }
      const outcome = await accept(message);
      // What was there before is no second message of anybody.
      if (outcome.kind === 'duplicate') giveBack(message, decision.costs);
      return outcome;
    },

    async acceptWaiting(message) {
      const isLate = message.sentAt !== undefined;
      const mostWaiting = isLate ? null : (deps.limits?.waitingInConversation ?? null);
      const outcome = await acceptWithin(message, mostWaiting);
      if (outcome.kind === 'overloaded') metrics.overloads.inc({ limit: 'conversation' });
      if (outcome.kind === 'accepted') waiting += 1;
      return outcome;
    },
  };
}

/** A person's rate is one for all rooms, a room's one for all bots. */
function keysOf({ chat, userId, roomId, botId }: IncomingMessage): Readonly<Record<Rate, string>> {
  return {
    user: JSON.stringify([chat, userId]),
    room: JSON.stringify([chat, roomId]),
    bot: botId,
  };
}
