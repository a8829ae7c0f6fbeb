import type { Cancel, Clock } from '../base/clock.ts';
import type { Instant } from '../base/terms.ts';
import type { Agent, AgentEvent, Prompt } from './agent.ts';
import { decideStuck, nextLook } from './decide-stuck.ts';

/** Why we asked the agent to end its turn before it was done, for a reason of our own among them; `none` when we did not. */
export type Interruption<Reason extends string> = 'none' | 'turn-timeout' | 'silent' | Reason;

export type AnswerLimits = {
  readonly turnTimeoutMs: number;
  readonly stuckAfterMs: number;
  /** How long an interrupted turn may take to end before its family is ended. */
  readonly graceMs: number;
};

export type CollectedAnswer<Reason extends string> = Extract<AgentEvent, { kind: 'ended' }> & {
  readonly interruption: Interruption<Reason>;
  readonly sentAt: Instant;
  /** Null when there was no text. */
  readonly firstTextAt: Instant | null;
  /** Entries of this turn did not all reach the store. */
  readonly memoryAtRisk: boolean;
  /** The process said something before its turn ended. */
  readonly wasHeard: boolean;
};

/** When an interrupt is said again while the turn goes on; each time after it waits twice as long. */
const INTERRUPT_AGAIN_MS = 500;

/**
 * Sends the prompt and listens until the turn has ended, cutting in when it is stuck, over its limit, or asked to.
 * `signal` is aborted with a `Reason` and with nothing else.
 */
export async function collectAnswer<Reason extends string>(
  agent: Agent,
  prompt: Prompt,
  limits: AnswerLimits,
  deps: { readonly clock: Clock; readonly signal: AbortSignal; onEvent(event: AgentEvent): void },
): Promise<CollectedAnswer<Reason>> {
  const { clock, signal } = deps;
  const sentAt = clock.now();
  const runningTools = new Set<string>();
  let heardAt = sentAt;
  let firstTextAt: Instant | null = null;
  let memoryAtRisk = false;
  let wasHeard = false;
  let interruption: Interruption<Reason> = 'none';
  let cancelLook = (): void => {};

  const facts = () => ({
    ...limits,
    now: clock.now(),
    startedAt: sentAt,
    heardAt,
    toolsRunning: runningTools.size,
  });

  function look(): void {
    const stuck = decideStuck(facts());
    if (stuck !== null) cutIn(stuck);
    else cancelLook = clock.after(Math.max(1, nextLook(facts()) - clock.now()), look);
  }

  function hear(event: AgentEvent): void {
    heardAt = clock.now();
    // It says how long it will be silent before it asks the endpoint again.
    if (event.kind === 'api-retry') heardAt += event.delayMs;
    if (event.kind === 'text-delta') firstTextAt ??= heardAt;
    if (event.kind === 'tool-started') runningTools.add(event.toolUseId);
    if (event.kind === 'memory-at-risk') memoryAtRisk = true;
    if (event.kind !== 'tool-finished') return;
    runningTools.delete(event.toolUseId);
    if (interruption !== 'none') return;
    // Silence counts again from here on: sooner than the look that was set while the tool ran.
    cancelLook();
    look();
  }

  function cutIn(why: Interruption<Reason>): void {
    if (interruption !== 'none') return;
    interruption = why;
    cancelLook();
    // Whoever closes it after the turn hears what went wrong with that.
    const close = () => void agent.close().catch(() => {});
    const interrupt = () => void agent.interrupt().catch(close);
    // One that comes before the process has begun the turn is lost, so it is said again.
    const stopSaying = moreAndMoreSeldom(clock, INTERRUPT_AGAIN_MS, interrupt);
    // An agent that ignores it, or whose pipe is stuck, is ended with everything that it started.
    const stopWaiting = clock.after(limits.graceMs, close);
    cancelLook = () => {
      stopSaying();
      stopWaiting();
    };
    interrupt();
  }

  const onAbort = () => {
    const reason: Reason = signal.reason;
    cutIn(reason);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  else look();

  try {
    for await (const event of agent.send(prompt)) {
      hear(event);
      if (event.kind === 'ended')
        return { ...event, interruption, sentAt, firstTextAt, memoryAtRisk, wasHeard };
      wasHeard = true;
      deps.onEvent(event);
    }
    throw new Error('an agent ends every turn with an ended event');
  } finally {
    cancelLook();
    signal.removeEventListener('abort', onAbort);
  }
}

/** Runs `work` after `delayMs`, and then again and again, each time after twice as long. */
function moreAndMoreSeldom(clock: Clock, delayMs: number, work: () => void): Cancel {
  let cancel = clock.after(delayMs, () => {
    work();
    cancel = moreAndMoreSeldom(clock, delayMs * 2, work);
  });
  return () => cancel();
}
