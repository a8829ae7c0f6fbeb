import { LeaseLost, toError } from '../base/errors.ts';
import type { ConversationKey, Instant } from '../base/terms.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { AbortReason } from '../turn/turn.ts';
import { decideWake } from './decide-wake.ts';
import { makeHolds } from './holds.ts';
import { makeJobs } from './jobs.ts';
import type { Queue, QueueDeps } from './queue.ts';
import { type Active, runConversation } from './run-conversation.ts';
import { makeTroubles } from './troubles.ts';

/** Conversations that one poll looks at. */
const POLL_LIMIT = 200;

/**
 * A conversation in the queue:
 *
 *   (absent) ──wake──▶ pending ──pump──▶ active ──released, nothing more──▶ (absent)
 *                         ▲                │
 *                         └─ more waiting ─┘
 *
 * One whose round threw goes back to `absent`, and is not begun again before its back-off is over.
 */
export function makeQueue(deps: QueueDeps): Queue {
  const { clock, limits } = deps;
  const pending = new Set<ConversationKey>();
  const active = new Map<ConversationKey, Active>();
  const jobs = makeJobs();
  const holds = makeHolds(pump);
  const troubles = makeTroubles(clock);
  let draining = false;
  const polling = new AbortController();
  let polled: Promise<void> = Promise.resolve();

  function wake(conversation: ConversationKey): void {
    const running = active.get(conversation);
    const decision = decideWake({
      phase: running?.phase ?? 'none',
      doubleTexting: deps.doubleTextingOf(conversation),
      busyRemarked: running?.busyRemarked ?? false,
    });
    if (decision === 'begin') enqueue(conversation);
    if (running === undefined) return;
    if (decision === 'wait' && running.phase === 'opening') running.mayBeJoined = true;
    if (decision === 'interrupt' || decision === 'remark')
      actIfSomethingWaits(conversation, running, decision).catch((error) => failed(conversation, error));
  }

  function enqueue(conversation: ConversationKey): void {
    pending.add(conversation);
    pump();
  }

  /** The message that woke us may be the one of this very turn, where the poll found it first: nothing waits then. */
  async function actIfSomethingWaits(
    conversation: ConversationKey,
    running: Active,
    what: 'interrupt' | 'remark',
  ): Promise<void> {
    const wasOpening = running.phase === 'opening';
    const waiting = await deps.inbox.waitingIn(conversation);
    if (waiting <= (wasOpening ? 1 : 0)) return;
    if (running.phase !== 'turn' && !(wasOpening && running.phase === 'opening')) return;
    if (what === 'interrupt') return abort(running, 'superseded');
    if (running.busyRemarked) return;
    running.busyRemarked = true;
    await deps.remark(conversation, 'busy', null);
  }

  function failed(conversation: ConversationKey, error: unknown): void {
    reportFailure(conversation, error, deps.telemetry);
  }

  function pump(): void {
    for (const conversation of pending) {
      if (draining || active.size >= limits.atOnce) return;
      // One that is being released, or held, stays pending; its end pumps again. So does the poll, for one in trouble.
      if (active.has(conversation) || holds.has(conversation) || troubles.isWaiting(conversation)) continue;
      pending.delete(conversation);
      begin(conversation);
    }
  }

  function begin(conversation: ConversationKey): void {
    const running = makeActive(jobs.has(conversation) ? 'between' : 'opening', clock.now());
    active.set(conversation, running);
    running.done = runConversation(conversation, running, {
      ...deps,
      jobs,
      isHalted: (one) => draining || holds.has(one),
      onLeftOut: wake,
      onRenewFailed: (error) => failed(conversation, error),
    })
      .then(
        (more) => {
          troubles.clear(conversation);
          return more;
        },
        (error) => {
          // Who took the lease looks after the conversation.
          const isNews = error instanceof LeaseLost || troubles.failed(conversation);
          if (isNews) failed(conversation, error);
          return false;
        },
      )
      .then((more) => {
        active.delete(conversation);
        if (more || jobs.has(conversation)) pending.add(conversation);
        pump();
      });
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

    interrupt(conversation, reason = 'stopped') {
      const running = active.get(conversation);
      if (running?.phase !== 'opening' && running?.phase !== 'turn') return false;
      abort(running, reason);
      return true;
    },

    hold: holds.hold,

    runBetween(conversation, work) {
      if (draining) return Promise.resolve(null);
      const done = jobs.add(conversation, work);
      enqueue(conversation);
      return done;
    },

    async idle(conversation) {
      await active.get(conversation)?.done;
    },

    async drain(drainMs) {
      draining = true;
      pending.clear();
      jobs.dropAll();
      polling.abort();
      const cancel = clock.after(drainMs, () => {
        for (const running of active.values()) abort(running, 'drain');
      });
      await Promise.all([polled, ...[...active.values()].map(({ done }) => done)]);
      cancel();
    },
  };
}

function makeActive(phase: Active['phase'], since: Instant): Active {
  return {
    interruption: new AbortController(),
    since,
    phase,
    busyRemarked: false,
    mayBeJoined: false,
    done: Promise.resolve(),
  };
}

function abort(running: Active, reason: AbortReason): void {
  running.interruption.abort(reason);
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
      'a turn failed and will be tried again, more and more seldom',
    );
}
