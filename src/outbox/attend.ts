/** What is done for one claimed reply: it is sent, or looked for in its room. The database is the sender's. */
import type { Clock } from '../base/clock.ts';
import { toError, unreachable } from '../base/errors.ts';
import type { ChatName } from '../base/terms.ts';
import type { Chat, SendOutcome } from '../chat/chat.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { decideAfterReading, decideAfterSend, decideClaim, findOwn, type Reading } from './decide-send.ts';
import type { Outbox, OutboxRow, SendResult } from './outbox.ts';

export type AttendDeps = Telemetry & {
  readonly outbox: Pick<Outbox, 'sentIds'>;
  /** Null for a chat that this server is not set up for (any more): its replies wait. */
  chats(name: ChatName): Chat | null;
  readonly clock: Clock;
};

/** Never rejects: whatever a chat does, the row gets a result. */
export function makeAttend(deps: AttendDeps): (row: OutboxRow) => Promise<SendResult> {
  const { clock, log, metrics } = deps;

  async function send(row: OutboxRow): Promise<SendOutcome> {
    const chat = deps.chats(row.chat);
    if (chat === null) return { kind: 'retry', reason: 'no such chat here' };
    try {
      return await chat.send(row, row.markdown);
    } catch (error) {
      // A bug of that chat: what it had done by then, nobody knows.
      log.error({ ...nameOf(row), reason: describe(error) }, 'a chat threw instead of answering');
      return { kind: 'unknown', reason: 'threw' };
    }
  }

  async function readBack(row: OutboxRow): Promise<Reading> {
    const chat = deps.chats(row.chat);
    if (chat === null) return { kind: 'unreachable' };
    try {
      const sent = await deps.outbox.sentIds(row);
      const own = await chat.readOwn(row, sent.newest);
      if (typeof own === 'string') return { kind: own };
      return findOwn(own, chat.plainText(row.markdown), sent.ids);
    } catch (error) {
      log.error({ ...nameOf(row), reason: describe(error) }, 'cannot look for a reply');
      return { kind: 'unreachable' };
    }
  }

  return async (row) => {
    const decision = decideClaim(row, clock.now());
    switch (decision.kind) {
      case 'wait':
        return decision.result;
      case 'send': {
        const outcome = await send(row);
        metrics.posts.inc({ outcome: outcome.kind });
        return decideAfterSend(outcome, { row, now: clock.now() });
      }
      case 'reconcile': {
        const reading = await readBack(row);
        return decideAfterReading(reading, { row, now: clock.now() });
      }
      default:
        return unreachable(decision);
    }
  };
}

function nameOf(row: OutboxRow) {
  return { reply: row.id, chat: row.chat, bot: row.botId };
}

/** An error in words that may be logged: addresses of chats hold bot keys. */
export function describe(error: unknown): string {
  return toError(error)
    .message.replace(/\bhttps?:\/\/\S+/g, '[address]')
    .replace(/\/rooms\/\S+/g, '[address]');
}
