import { toError } from '../base/errors.ts';
import { type Control, makeControl } from './control.ts';
import type { Claim } from './project-store.ts';
import { runUpdate } from './run-update.ts';
import type { ProjectId, UpdateId } from './terms.ts';
import { makeWork, type ProjectsDeps } from './work.ts';

/** A lease that could not be renewed until so shortly before its end counts as lost. */
const MARGIN_MS = 5_000;

export type UpdateWorker = {
  start(): void;
  /** An update was queued, or may run now. */
  wake(): void;
  /** Somebody asked for the end of a running update. */
  cancel(update: UpdateId): void;
  /** Resolves once nothing of the project runs here. */
  idle(project: ProjectId): Promise<void>;
  drain(drainMs: number): Promise<void>;
};

type Running = { readonly claim: Claim; readonly control: Control; readonly done: Promise<void> };

/**
 * Claims updates while there is room, and runs them: one for each project, because its lease is theirs alone.
 *
 *   claimed ──▶ running ──ended, or it waits again──▶ lease released
 *                  └──lease lost, or nobody could write──▶ left; its lease expires and it is claimed again
 */
export function makeUpdateWorker(deps: ProjectsDeps, notify: (claim: Claim) => void): UpdateWorker {
  const { clock, limits, store, telemetry } = deps;
  const running = new Map<ProjectId, Running>();
  const polling = new AbortController();
  let draining = false;
  let pumping: Promise<void> | null = null;
  let wanted = false;
  let polled: Promise<void> = Promise.resolve();

  function wake(): void {
    wanted = true;
    // The owner of what goes wrong with a claim: the next poll tries again.
    pumping ??= pump()
      .catch(reportUnclaimed)
      .finally(() => {
        pumping = null;
        if (wanted) wake();
      });
  }

  async function pump(): Promise<void> {
    wanted = false;
    while (!draining && running.size < limits.atOnce) {
      const claim = await store.queue.claim();
      if (claim === null) return;
      begin(claim);
    }
  }

  function reportUnclaimed(error: unknown): void {
    telemetry.log.error({ error: toError(error).message }, 'updates could not be claimed');
  }

  function begin(claim: Claim): void {
    const control = makeControl(claim.update.status === 'committed');
    const { id } = claim.project;
    const former = running.get(id);
    // Its lease was taken from it, or the project could not be claimed: it may not touch the files any more.
    former?.control.leaseLost();
    const done = Promise.resolve(former?.done)
      .then(() => run(claim, control))
      .finally(() => {
        if (running.get(id)?.claim === claim) running.delete(id);
        wake();
      });
    running.set(id, { claim, control, done });
    if (draining) control.drain();
  }

  /** Never rejects: whatever could not be written is found by the next claim. */
  async function run(claim: Claim, control: Control): Promise<void> {
    const stopWatching = watch(claim, control);
    observeStart(claim);
    try {
      if (await runUpdate(makeWork(claim, control, deps, notify))) {
        await store.queue.release(claim);
        await observeEnd(claim);
      } else if (control.stop.reason === 'drain') await store.queue.release(claim);
    } catch (thrown) {
      const error = toError(thrown);
      const { id: update } = claim.update;
      telemetry.log.error({ update, error: error.message, stack: error.stack }, 'an update was left');
    } finally {
      stopWatching();
      notify(claim);
    }
  }

  function watch(claim: Claim, control: Control): () => void {
    let renewedAt = clock.now();
    const renewing = clock.every(limits.renewMs, () => {
      const askedAt = clock.now();
      store.queue.renew(claim).then(
        (renewed) => {
          if (renewed) renewedAt = askedAt;
          else control.leaseLost();
        },
        // The database is away: perhaps the next renewal comes through, else the lease ends by itself.
        () => {},
      );
    });
    const looking = clock.every(limits.pollMs, () => {
      // By then another server may claim the update: nothing of it may run here any more.
      if (clock.now() - renewedAt > limits.leaseMs - MARGIN_MS) control.leaseLost();
      void look(claim, control);
    });
    return () => {
      renewing();
      looking();
    };
  }

  async function look(claim: Claim, control: Control): Promise<void> {
    // Asked again in a second; whoever cannot read now learns nothing new.
    const signals = await store.queue.signals(claim).catch(() => null);
    if (signals?.cancelRequested) control.cancel();
    if (signals?.newerWaits) control.newerWaits();
  }

  function observeStart({ update }: Claim): void {
    if (update.attempt === 1 && update.status !== 'committed')
      telemetry.metrics.updateWaitSeconds.observe((clock.now() - update.queuedAt) / 1_000);
  }

  async function observeEnd({ update }: Claim): Promise<void> {
    const ended = await store.queue.get(update.id);
    if (ended === null || ended.finishedAt === null) return;
    telemetry.metrics.updates.inc({ kind: ended.kind, status: ended.status });
    if (ended.startedAt !== null)
      telemetry.metrics.updateSeconds.observe((ended.finishedAt - ended.startedAt) / 1_000);
  }

  return {
    wake,

    start() {
      polled = pollUntil(polling.signal);
    },

    cancel(update) {
      for (const { claim, control } of running.values()) if (claim.update.id === update) control.cancel();
    },

    async idle(project) {
      await running.get(project)?.done;
    },

    async drain(drainMs) {
      draining = true;
      polling.abort();
      const cancel = clock.after(drainMs, () => {
        for (const { control } of running.values()) control.drain();
      });
      await Promise.all([polled, pumping]);
      await Promise.all([...running.values()].map(({ done }) => done));
      cancel();
    },
  };

  async function pollUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      wake();
      await clock.sleep(limits.pollMs, signal);
    }
  }
}
