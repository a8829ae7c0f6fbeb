import type { UserId } from '../base/terms.ts';
import type { Who } from '../bots/bots.ts';

export type GiverFacts = {
  readonly who: Who;
  readonly userId: UserId;
  /** Null: the conversation had no turn yet, so that there is nobody's to protect. */
  readonly lastAuthor: UserId | null;
};

/** `ask-role`: only an administrator may, and whether the giver is one has to be asked. Pure. */
export function mayCommand({ who, userId, lastAuthor }: GiverFacts): 'yes' | 'no' | 'ask-role' {
  if (who.everybody || who.users.has(userId)) return 'yes';
  if (who.author && (lastAuthor === null || lastAuthor === userId)) return 'yes';
  return who.administrators ? 'ask-role' : 'no';
}
