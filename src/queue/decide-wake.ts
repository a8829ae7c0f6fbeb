import { unreachable } from '../base/errors.ts';
import type { DoubleTexting } from '../turn/turn.ts';

/**
 * Where a conversation stands in the queue:
 *
 * - `none`: nothing of it is under way.
 * - `opening`: a turn is under way and has not taken its messages yet; whoever writes now may still join it.
 * - `turn`: it has; whoever writes now waits for its end.
 * - `between`: it has committed, or a job runs ahead of it; the next look into the inbox sees whoever writes now.
 * - `releasing`: the last look may be over; whoever writes now needs another round.
 */
export type Phase = 'none' | 'opening' | 'turn' | 'between' | 'releasing';

export type WakeFacts = {
  readonly phase: Phase;
  readonly doubleTexting: DoubleTexting;
  /** The room was told of this turn already that others wait for it. */
  readonly busyRemarked: boolean;
};

/**
 * - `begin`: the conversation needs a round of its own.
 * - `remark`: it is seen in time; the room is told that it waits.
 * - `interrupt`: it is seen in time; the running turn is to end for it.
 * - `wait`: it is seen in time, and there is nothing to do.
 */
export type WakeDecision = 'begin' | 'remark' | 'interrupt' | 'wait';

/** What a message that was accepted for a conversation asks of the queue. Pure. */
export function decideWake(facts: WakeFacts): WakeDecision {
  const remark = facts.busyRemarked ? 'wait' : 'remark';
  switch (facts.phase) {
    case 'none':
    case 'releasing':
      return 'begin';
    case 'between':
      return 'wait';
    case 'opening':
      return facts.doubleTexting === 'enqueue' ? remark : 'wait';
    case 'turn':
      return whileTurnRuns(facts.doubleTexting, remark);
    default:
      return unreachable(facts.phase);
  }
}

function whileTurnRuns(doubleTexting: DoubleTexting, remark: 'wait' | 'remark'): WakeDecision {
  switch (doubleTexting) {
    case 'enqueue':
    case 'merge':
      return remark;
    case 'interrupt':
      return 'interrupt';
    // It was turned away unless nothing was unfinished, so the turn is all but over.
    case 'reject':
      return 'wait';
    default:
      return unreachable(doubleTexting);
  }
}
