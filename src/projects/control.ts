import type { StopReason } from './decide-run-end.ts';

/**
 * What a running update is told from outside. Until it is committed a cancel stops it; from then on a cancel, and any
 * newer update that waits, only make its optional steps give way.
 */
export type Control = {
  /** Aborted with a `StopReason`: the update may not go on. */
  readonly stop: AbortSignal;
  /** Aborted with a `StopReason`: optional steps end. */
  readonly giveWay: AbortSignal;
  /** From now on the update can only complete. */
  committed(): void;
  cancel(): void;
  newerWaits(): void;
  drain(): void;
  leaseLost(): void;
};

export function makeControl(isCommitted: boolean): Control {
  const stop = new AbortController();
  const giveWay = new AbortController();
  let committed = isCommitted;

  function both(reason: StopReason): void {
    stop.abort(reason);
    giveWay.abort(reason);
  }
  return {
    stop: stop.signal,
    giveWay: giveWay.signal,
    committed() {
      committed = true;
      if (stop.signal.reason === 'cancelled') giveWay.abort('preempted' satisfies StopReason);
    },
    cancel() {
      if (committed) giveWay.abort('preempted' satisfies StopReason);
      else stop.abort('cancelled' satisfies StopReason);
    },
    newerWaits: () => giveWay.abort('preempted' satisfies StopReason),
    drain: () => both('drain'),
    leaseLost: () => both('lease-lost'),
  };
}

/** Null: nobody has aborted it. */
export function reasonOf(signal: AbortSignal): StopReason | null {
  if (!signal.aborted) return null;
  // `makeControl` aborts with nothing else.
  const reason: StopReason = signal.reason;
  return reason;
}
