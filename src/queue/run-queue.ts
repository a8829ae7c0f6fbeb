import { LeaseLost, toError } from '../base/errors.ts';
import type { ConversationKey, Instant, Lease } from '../base/terms.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
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
    deps
      .remark(conversation, 'busy', null)
      .catch((error) => reportFailure(conversation, error, deps.telemetry));
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
      .catch((error) => reportFailure(conversation, error, deps.telemetry))
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
      () => void leases.renew(lease).catch((error) => reportFailure(conversation, error, deps.telemetry)),
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

  function wakeDue(conversations: readonly ConversationKey[]): void {
    for (const conversation of conversations) {
      if (!active.has(conversation)) pending.add(conversation);
    }
    pump();
  }

  return {
    wake,

    start() {
      polled = pollUntil(polling.signal, deps, wakeDue);
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

type OnDue = (conversations: readonly ConversationKey[]) => void;

/** The safety net: finds what nobody woke the queue for, and tells whoever has waited too long. */
async function pollUntil(signal: AbortSignal, deps: QueueDeps, onDue: OnDue): Promise<void> {
  while (!signal.aborted) {
    await poll(deps, onDue).catch((error) =>
      deps.telemetry.log.error({ error: toError(error).message }, 'the inbox could not be polled'),
    );
    await deps.clock.sleep(deps.limits.pollMs, signal);
  }
}

async function poll({ inbox, clock, limits, remark }: QueueDeps, onDue: OnDue): Promise<void> {
  onDue(await inbox.due(clock.now(), POLL_LIMIT));
  for (const message of await inbox.markOverdue(clock.now() - limits.overdueMs, POLL_LIMIT)) {
    await remark(message.conversation, 'takes_longer', message);
  }
}

/** The owner of what goes wrong in a turn: the rows wait as they are, and the poll comes back to them. */
function reportFailure(conversation: ConversationKey, thrown: unknown, { metrics, log }: Telemetry): void {
  const error = toError(thrown);
  if (error instanceof LeaseLost) metrics.fencedOut.inc();
  else
    log.error(
      { conversation, error: error.message, stack: error.stack },
      'a turn failed and will be tried again',
    );
}
