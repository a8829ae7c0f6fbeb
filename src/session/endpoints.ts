import type { ModelEndpoint } from '../agent/agent.ts';
import type { Clock } from '../base/clock.ts';
import { setNewest } from '../base/set-newest.ts';
import type { ConversationKey, Instant } from '../base/terms.ts';
import { afterTurn, type Circuit, CLOSED, decideEndpoint } from './decide-endpoint.ts';

/** How long a conversation that the primary failed stays with the fallback: each move costs a process start. */
const MOVED_MS = 300_000;
/** Moved conversations remembered at most. */
const MOST_MOVED = 10_000;

export type ChosenEndpoint = {
  readonly endpoint: ModelEndpoint;
  /** Instead of the bot's, on the fallback; null: the bot's. */
  readonly model: string | null;
};

/** Which endpoint serves which conversation. Each is an object of its own: no key ever meets the other's address. */
export type Endpoints = {
  choose(conversation: ConversationKey): ChosenEndpoint;
  /** The endpoint of a conversation that nothing is known of. */
  usual(): ChosenEndpoint;
  /** A turn on `used` has ended. True when the conversation's next try goes to the other endpoint. */
  report(conversation: ConversationKey, used: ModelEndpoint['name'], answered: boolean): boolean;
  circuit(): Circuit['state'];
};

export function makeEndpoints(deps: {
  readonly primary: ModelEndpoint;
  readonly fallback: { readonly endpoint: ModelEndpoint; readonly model: string | null } | null;
  readonly clock: Clock;
}): Endpoints {
  const { primary, fallback, clock } = deps;
  const moved = new Map<ConversationKey, Instant>();
  let circuit = CLOSED;

  return {
    choose(conversation) {
      if (fallback === null) return { endpoint: primary, model: null };
      const decided = decideEndpoint({
        conversation,
        circuit,
        now: clock.now(),
        movedUntil: moved.get(conversation) ?? null,
      });
      circuit = decided.circuit;
      return decided.endpoint === 'fallback' ? fallback : { endpoint: primary, model: null };
    },

    usual: () =>
      fallback !== null && circuit.state === 'open' ? fallback : { endpoint: primary, model: null },

    report(conversation, used, answered) {
      if (fallback === null || used === 'fallback') return false;
      circuit = afterTurn(circuit, answered, clock.now());
      if (answered) return false;
      setNewest(moved, conversation, clock.now() + MOVED_MS, MOST_MOVED);
      return true;
    },

    circuit: () => circuit.state,
  };
}
