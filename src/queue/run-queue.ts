import { LeaseLost, toError } from '../base/errors.ts';
import type { ConversationKey, Instant, Lease } from '../base/terms.ts';
import type { Queue, QueueDeps } from './queue.ts';

/** Conversations that one poll looks at. */
const POLL_LIMIT = 200;

/**
 * A conversation in the queue:
 *
 *   (absent) ──wake──▶ pending ──pump──▶ active ──released, nothing more──▶ (absent)
 *                         ▲                │
 *                         └─ more waiting ─┘
 */
type Active = {
  readonly since: Instant;
  readonly interruption: AbortController;
  readonly done: Promise<void>;
  /**
   * - `turn`: a turn is under way and has not committed; whoever writes now waits for it.
   * - `between`: it has committed; the next look into the inbox sees whoever writes now.
   * - `releasing`: the last look may be over; whoever writes now needs another round.
   */
  phase: 'turn' | 'between' | 'releasing';
  busyRemarked: boolean;
};

export function makeQueue(deps: QueueDeps): Queue {
  const { clock, leases, limits } = deps;
  const pending = new Set<ConversationKey>();
  const active = new Map<ConversationKey, Active>();
  let draining = false;
  const polling = new AbortController();
  let polled: Promise<void> = Promise.resolve();

  function wake(conversation: ConversationKey): void {
    const running = active.get(conversation);
    if (running === undefined || running.phase === 'releasing') pending.add(conversation);
    else remarkBusy(conversation, running);
    pump();
  }

  /** Whoever writes while a turn runs is told so, once for each running turn. */
  function remarkBusy(conversation: ConversationKey, running: Active): void {
    if (running.phase !== 'turn' || running.busyRemarked) return;
    running.busyRemarked = true;
    deps.remark(conversation, 'busy', null).catch((error) => failed(conversation, error));
  }

  function pump(): void {
    for (const conversation of pending) {
      if (draining || active.size >= limits.atOnce) return;
      // One that is being released stays pending; its end pumps again.
      if (active.has(conversation)) continue;
      pending.delete(conversation);
      begin(conversation);
    }
  }

  function begin(conversation: ConversationKey): void {
    const interruption = new AbortController();
    const done = runConversation(conversation, interruption.signal)
      .catch((error) => failed(conversation, error))
      .finally(() => {
        active.delete(conversation);
        pump();
      });
    active.set(conversation, { since: clock.now(), interruption, done, phase: 'turn', busyRemarked: false });
  }

  /** Turns of one conversation under one lease, until nothing waits. */
  async function runConversation(conversation: ConversationKey, signal: AbortSignal): Promise<void> {
    const lease = await leases.acquire(conversation);
    if (lease === null) return;
    const stopRenewing = clock.every(
      limits.renewMs,
      () => void leases.renew(lease).catch((error) => failed(conversation, error)),
    );
    try {
      await runTurns(lease, signal);
    } catch (error) {
      // What waits is left to the poll: trying again at once would spin.
      await release(lease);
      throw error;
    } finally {
      stopRenewing();
    }
    const { more } = await release(lease);
    if (more) pending.add(conversation);
  }

  function release(lease: Lease): Promise<{ readonly more: boolean }> {
    const running = active.get(lease.conversation);
    if (running !== undefined) running.phase = 'releasing';
    return leases.release(lease);
  }

  async function runTurns(lease: Lease, abort: AbortSignal): Promise<void> {
    while (!draining && !abort.aborted) {
      const running = active.get(lease.conversation);
      if (running !== undefined) Object.assign(running, { phase: 'turn', busyRemarked: false });
      const ended = (): void => {
        if (running !== undefined) running.phase = 'between';
      };
      const outcome = await deps.runTurn(lease, { abort, committed: ended }).finally(ended);
      if (outcome.kind === 'idle') return;
    }
  }

  /** The owner of what goes wrong in a turn: the rows wait as they are, and the poll comes back to them. */
  function failed(conversation: ConversationKey, thrown: unknown): void {
    const error = toError(thrown);
    if (error instanceof LeaseLost) deps.telemetry.metrics.fencedOut.inc();
    else
      deps.telemetry.log.error(
        { conversation, error: error.message, stack: error.stack },
        'a turn failed and will be tried again',
      );
  }

  async function poll(): Promise<void> {
    for (const conversation of await deps.inbox.due(clock.now(), POLL_LIMIT)) {
      if (!active.has(conversation)) pending.add(conversation);
    }
    pump();
    for (const message of await deps.inbox.markOverdue(clock.now() - limits.overdueMs, POLL_LIMIT)) {
      await deps.remark(message.conversation, 'takes_longer', message);
    }
  }

  async function pollUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await poll().catch((error) =>
        deps.telemetry.log.error({ error: toError(error).message }, 'the inbox could not be polled'),
      );
      await clock.sleep(limits.pollMs, signal);
    }
  }

  return {
    wake,

    start() {
      polled = pollUntil(polling.signal);
    },

    active: () => [...active].map(([conversation, { since }]) => ({ conversation, since })),

    interrupt(conversation) {
      const running = active.get(conversation);
      running?.interruption.abort('stopped');
      return running !== undefined;
    },

    async idle(conversation) {
      await active.get(conversation)?.done;
    },

    async drain(drainMs) {
      draining = true;
      pending.clear();
      polling.abort();
      const cancel = clock.after(drainMs, () => {
        for (const { interruption } of active.values()) interruption.abort('drain');
      });
      await Promise.all([polled, ...[...active.values()].map(({ done }) => done)]);
      cancel();
    },
  };
}
