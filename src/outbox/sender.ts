/**
 * Sends what the outbox owes: lanes side by side, the rows of one lane in order and one at a time.
 *
 *   wake ─▶ claim ─▶ owed:    send ─────────────────▶ sent | owed (back-off) | unknown | buried
 *                    unknown: read the room back ───▶ sent | owed (send again) | unknown (look again) | buried
 *
 * `decide-send.ts` decides and `attend.ts` does it for one row. The row's state is in the database before and after, so
 * a crash at any point leaves a row that says what has to be done about it.
 */
import { backoffMs } from '../base/backoff.ts';
import { type Clock, within } from '../base/clock.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { type AttendDeps, describe, makeAttend } from './attend.ts';
import { type Deliver, laneOf, type Outbox, type OutboxRow, type SendResult } from './outbox.ts';

/** Enough for every room that is answered at one moment, few enough for one Campfire. */
const LANES_AT_ONCE = 16;
/** What falls due by time, or was added by somebody who forgot to wake, goes out so much later at most. */
const POLL_MS = 1_000;
/** How long a result is kept trying to reach the database: about ten minutes. */
const RECORD = { attempts: 125, firstMs: 100, mostMs: 5_000 };

export type SenderDeps = Telemetry & AttendDeps & { readonly outbox: Outbox; readonly clock: Clock };

export type Sender = {
  /** Sends what an earlier run left owed, and from then on what falls due by time. */
  start(): void;
  /** Sends what is due, at once. To be called after each commit that added rows. */
  wake(): void;
  readonly deliver: Deliver;
  /** Sends what is due, for `limitMs` at most, then takes nothing new. A send that goes on is found out at the next start. */
  drain(limitMs: number): Promise<void>;
  /** Takes nothing new; resolves when the sends that run have ended. */
  stop(): Promise<void>;
};

export function makeSender(deps: SenderDeps): Sender {
  const { outbox, clock, log, metrics } = deps;
  const attend = makeAttend(deps);
  /** What is going on in each busy lane; its row is in nobody else's hands. */
  const lanes = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  let stopPolling = () => {};
  let isWanted = false;
  let isClaiming = false;
  let claiming = Promise.resolve();

  function wake(): void {
    if (stopping.signal.aborted) return;
    isWanted = true;
    if (!isClaiming) claiming = claimWhileWanted();
  }

  /** One claim at a time: a lane is marked busy before the next one looks. */
  async function claimWhileWanted(): Promise<void> {
    isClaiming = true;
    while (isWanted && lanes.size < LANES_AT_ONCE && !stopping.signal.aborted) {
      isWanted = false;
      for (const row of await claim()) occupy(laneOf(row), settle(row));
    }
    isClaiming = false;
  }

  async function claim(): Promise<readonly OutboxRow[]> {
    try {
      return await outbox.claim(clock.now(), new Set(lanes.keys()), LANES_AT_ONCE - lanes.size);
    } catch (error) {
      // The rows are as they were; the next poll claims them when the database is back.
      log.error({ reason: describe(error) }, 'cannot claim replies');
      return [];
    }
  }

  function occupy(lane: string, work: Promise<void>): void {
    const done = work.finally(() => {
      lanes.delete(lane);
      wake();
    });
    lanes.set(lane, done);
  }

  /** A claim that is under way does not know of a lane that becomes busy now. */
  function isFree(lane: string): boolean {
    return !isClaiming && !lanes.has(lane) && lanes.size < LANES_AT_ONCE && !stopping.signal.aborted;
  }

  const deliver: Deliver = async (target, commit) => {
    const lane = laneOf(target);
    if (!isFree(lane)) {
      await commit(false);
      return wake();
    }
    const committed = commit(true);
    const sent = committed.then(
      (row) => (row === null ? undefined : settle(row)),
      // Its owner hears of it below; nothing was added.
      () => {},
    );
    occupy(lane, sent);
    await committed;
  };

  async function settle(row: OutboxRow): Promise<void> {
    const result = await attend(row);
    if (result.kind === 'owed' && result.mayBeDouble === true) metrics.mayBeDouble.inc();
    if (result.kind === 'buried') {
      log.error(
        { reply: row.id, chat: row.chat, bot: row.botId, reason: result.reason },
        'a reply is buried',
      );
    }
    await record(row, result);
  }

  /** The lane stays busy until the database has the result: sent is only what is known to be. */
  async function record(row: OutboxRow, result: SendResult): Promise<void> {
    for (let attempt = 1; attempt <= RECORD.attempts; attempt += 1) {
      try {
        return await outbox.finish(row.id, result);
      } catch (error) {
        const facts = { reply: row.id, result: result.kind, attempt, reason: describe(error) };
        log.error(facts, 'cannot record what became of a reply');
      }
      if (stopping.signal.aborted) return;
      await clock.sleep(backoffMs(attempt, RECORD), stopping.signal);
    }
  }

  async function settled(): Promise<void> {
    while (isClaiming || lanes.size > 0) await Promise.all([claiming, ...lanes.values()]);
  }

  function endTaking(): void {
    stopping.abort();
    stopPolling();
  }

  return {
    start() {
      stopPolling = clock.every(POLL_MS, wake);
      wake();
    },
    wake,
    deliver,
    async drain(limitMs) {
      wake();
      await within(clock, limitMs, settled());
      endTaking();
    },
    async stop() {
      endTaking();
      await settled();
    },
  };
}
