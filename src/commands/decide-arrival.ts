import type { RoomId, UserId } from '../base/terms.ts';
import type { Bot } from '../bots/bots.ts';
import type { Command } from './parse-command.ts';

export type ArrivalFacts = {
  readonly message: { readonly roomId: RoomId; readonly userId: UserId };
  /** Null: it is gone. */
  readonly bot: Pick<Bot, 'allowBots' | 'allowedRooms' | 'allowedUsers' | 'doubleTexting'> | null;
  /** The author is a bot of ours: known without asking anybody. */
  readonly authorIsOurs: boolean;
  readonly command: Command | null;
};

/**
 * - `wait`: for its turn, which looks again whether it is to be answered.
 * - `ignore`: our bots do not talk to each other unless a bot file says so.
 * - `reject-if-busy`: it waits only when nothing else of its conversation does, or runs.
 */
export type Arrival = 'wait' | 'ignore' | 'command' | 'reject-if-busy';

/** What becomes of a message when it arrives. Whoever is not to be answered is told nothing. Pure. */
export function decideArrival({ message, bot, authorIsOurs, command }: ArrivalFacts): Arrival {
  if (bot === null) return 'wait';
  if (authorIsOurs) return bot.allowBots ? 'wait' : 'ignore';
  if (bot.allowedRooms?.has(message.roomId) === false) return 'wait';
  if (bot.allowedUsers?.has(message.userId) === false) return 'wait';
  if (command !== null) return 'command';
  return bot.doubleTexting === 'reject' ? 'reject-if-busy' : 'wait';
}
