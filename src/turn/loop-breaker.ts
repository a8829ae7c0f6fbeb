import { setNewest } from '../base/set-newest.ts';
import type { Instant, RoomId } from '../base/terms.ts';

const HOUR_MS = 3_600_000;
/** Rooms remembered at most; the ones that were quiet longest are forgotten first. */
const MOST_ROOMS = 10_000;

type BotTurns = { inARow: number; times: Instant[] };

/** Counts the turns that bots started in a room, so that two bots cannot talk to each other for ever. */
export type LoopBreaker = {
  count(room: RoomId, now: Instant): { readonly inARow: number; readonly lastHour: number };
  started(room: RoomId, byBot: boolean, now: Instant): void;
};

export function makeLoopBreaker(): LoopBreaker {
  const rooms = new Map<RoomId, BotTurns>();
  return {
    count(room, now) {
      const turns = rooms.get(room);
      return {
        inARow: turns?.inARow ?? 0,
        lastHour: turns?.times.filter((time) => now - time < HOUR_MS).length ?? 0,
      };
    },
    started(room, byBot, now) {
      const turns = rooms.get(room);
      // A person's message ends both counts: the breaker waits for one.
      if (!byBot) return void rooms.delete(room);
      const times = [...(turns?.times ?? []).filter((time) => now - time < HOUR_MS), now];
      setNewest(rooms, room, { inARow: (turns?.inARow ?? 0) + 1, times }, MOST_ROOMS);
    },
  };
}
