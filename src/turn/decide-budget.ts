/** In US dollars; a limit is null where there is none. */
export type BudgetFacts = {
  readonly sessionUsd: number;
  readonly maxSessionUsd: number | null;
  /** Of the message's author with this bot today. */
  readonly userDayUsd: number;
  readonly maxUserDayUsd: number | null;
};

/** Which budget is used up, so that the model is not asked; null: none. Pure. */
export function decideBudget(facts: BudgetFacts): 'session' | 'day' | null {
  // Tomorrow helps against this one alone, so it is told first.
  if (facts.maxUserDayUsd !== null && facts.userDayUsd >= facts.maxUserDayUsd) return 'day';
  if (facts.maxSessionUsd !== null && facts.sessionUsd >= facts.maxSessionUsd) return 'session';
  return null;
}
