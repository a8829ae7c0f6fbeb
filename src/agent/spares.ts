import type { Cancel, Clock } from '../base/clock.ts';
import { toError } from '../base/errors.ts';
import { newAgentId } from '../base/ids.ts';
import type { AgentId, Instant, SessionId } from '../base/terms.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { AgentSpec } from './agent.ts';
import { decideRest, decideSpare, isSameSpec, type SpareLoss } from './decide-spare.ts';

/** A started process that no conversation has claimed. */
export type Spare = {
  readonly id: AgentId;
  readonly pid: number;
  /** Of the session that it will be: a process chooses it when it starts. */
  readonly sessionId: SessionId;
  /** Resolves when the process has exited. */
  readonly ended: Promise<unknown>;
  /** Ends its family, deletes its home. Rejects when somebody outlives KILL. */
  remove(): Promise<void>;
};

/**
 * One place for each spec that is wanted:
 *
 *   empty ──in time──▶ starting ──▶ ready ──promise──▶ promised ──take──▶ empty, for a moment
 *     ▲                   │ fails     │ dies              │ dies, or nobody came in time
 *     └─────back-off──────┴───────────┴───────────────────┘
 *
 * A place that is no longer wanted ends its process, in whatever state.
 */
export type Spares<Kind extends Spare> = {
  keep(specs: readonly AgentSpec[]): void;
  /** The session id of a ready spare, which is then kept a minute for whoever takes it; null when there is none. */
  promise(spec: AgentSpec): SessionId | null;
  /** The spare that was promised under this id; from now on the caller's. */
  take(sessionId: SessionId, spec: AgentSpec): Kind | null;
  /** The taken spare could not be claimed: the next one waits longer. */
  refused(spec: AgentSpec): void;
  /** Of all processes that are ours, those that come and go included. */
  ids(): readonly AgentId[];
  parked(): readonly { readonly spare: Kind; readonly since: Instant }[];
  /** Ends all. Rejects when a family does not end. */
  closeAll(): Promise<void>;
};

export type SparesDeps<Kind extends Spare> = {
  /** Starts one; `isWanted` may have changed by the time that it is let in. */
  start(id: AgentId, spec: AgentSpec, isWanted: () => boolean): Promise<Kind>;
  readonly clock: Clock;
  readonly log: Telemetry['log'];
};

type State<Kind> =
  | { readonly kind: 'empty'; readonly notBefore: Instant }
  | { readonly kind: 'starting' }
  | { readonly kind: 'ready'; readonly spare: Kind; readonly since: Instant }
  | { readonly kind: 'promised'; readonly spare: Kind; readonly since: Instant; readonly until: Instant };

type Place<Kind> = { readonly spec: AgentSpec; state: State<Kind>; failures: number };

/** From the promise of an id to the start that brings it lies one write of a record. */
const PROMISE_MS = 60_000;

export function makeSpares<Kind extends Spare>({ start, clock, log }: SparesDeps<Kind>): Spares<Kind> {
  let places: readonly Place<Kind>[] = [];
  const ids = new Set<AgentId>();
  const underway = new Set<Promise<unknown>>();
  let cancelLook: Cancel = () => {};

  /** Waited for by `closeAll`; who else waits hears of a failure by himself. */
  function track<Result>(work: Promise<Result>): Promise<Result> {
    underway.add(work);
    work.catch(() => {}).finally(() => underway.delete(work));
    return work;
  }

  function empty(place: Place<Kind>, loss: SpareLoss): void {
    const { failures, delayMs } = decideRest(loss, place.failures);
    place.failures = failures;
    place.state = { kind: 'empty', notBefore: clock.now() + delayMs };
    look();
  }

  function end(spare: Kind): Promise<void> {
    return track(spare.remove().finally(() => ids.delete(spare.id)));
  }

  function endByItself(spare: Kind): void {
    end(spare).catch((error: unknown) => {
      log.error({ agent: spare.id, reason: toError(error).message }, 'a spare did not end');
    });
  }

  function noteDeath(place: Place<Kind>, spare: Kind): void {
    // One that was ended dies too.
    if (!places.includes(place) || !('spare' in place.state) || place.state.spare !== spare) return;
    const livedMs = clock.now() - place.state.since;
    log.warn({ agent: spare.id, livedMs }, 'a spare died');
    endByItself(spare);
    empty(place, { kind: 'died', livedMs });
  }

  async function fill(place: Place<Kind>): Promise<void> {
    place.state = { kind: 'starting' };
    const id = newAgentId();
    ids.add(id);
    const isWanted = () => places.includes(place);
    try {
      const spare = await start(id, place.spec, isWanted);
      if (!isWanted()) return endByItself(spare);
      place.state = { kind: 'ready', spare, since: clock.now() };
      spare.ended.then(() => noteDeath(place, spare));
    } catch (error) {
      ids.delete(id);
      if (!isWanted()) return;
      log.warn({ reason: toError(error).message, failures: place.failures + 1 }, 'a spare did not start');
      empty(place, { kind: 'not-started' });
    }
  }

  /** Does what is due in each place, and looks again when the next thing is. */
  function look(): void {
    cancelLook();
    let next = Number.POSITIVE_INFINITY;
    for (const place of places) {
      const decision = decideSpare(place.state, clock.now());
      if (decision.kind === 'start') void track(fill(place));
      if (decision.kind === 'look-again') next = Math.min(next, decision.at);
      if (decision.kind === 'end' && 'spare' in place.state) {
        endByItself(place.state.spare);
        empty(place, { kind: 'lapsed' });
      }
    }
    if (next < Number.POSITIVE_INFINITY) cancelLook = clock.after(next - clock.now(), look);
  }

  const find = (spec: AgentSpec) => places.find((place) => isSameSpec(place.spec, spec));

  return {
    keep(specs) {
      const before = places;
      const distinct = specs.filter((spec, at) => specs.findIndex((other) => isSameSpec(other, spec)) === at);
      places = distinct.map(
        (spec) => find(spec) ?? { spec, state: { kind: 'empty', notBefore: clock.now() }, failures: 0 },
      );
      for (const place of before)
        if (!places.includes(place) && 'spare' in place.state) endByItself(place.state.spare);
      look();
    },

    promise(spec) {
      const place = find(spec);
      if (place?.state.kind !== 'ready') return null;
      place.state = { ...place.state, kind: 'promised', until: clock.now() + PROMISE_MS };
      look();
      return place.state.spare.sessionId;
    },

    take(sessionId, spec) {
      const place = find(spec);
      if (place?.state.kind !== 'promised' || place.state.spare.sessionId !== sessionId) return null;
      const { spare } = place.state;
      ids.delete(spare.id);
      empty(place, { kind: 'claimed' });
      return spare;
    },

    refused(spec) {
      const place = find(spec);
      if (place?.state.kind === 'empty') empty(place, { kind: 'refused' });
    },

    ids: () => [...ids],
    parked: () =>
      places.flatMap(({ state }) => ('spare' in state ? [{ spare: state.spare, since: state.since }] : [])),

    async closeAll() {
      const left = places;
      places = [];
      cancelLook();
      for (const { state } of left) if ('spare' in state) void end(state.spare).catch(() => {});
      const failures: unknown[] = [];
      while (underway.size > 0) {
        const ends = await Promise.allSettled(underway);
        failures.push(...ends.flatMap((one) => (one.status === 'rejected' ? [one.reason] : [])));
      }
      if (failures.length > 0) throw new AggregateError(failures, 'not every spare ended');
    },
  };
}
