import type { BotId } from '../base/terms.ts';
import { FIRST_GUESS_MB } from './memory.ts';

/** Share of the agents' budget that processes may hold which nobody has asked for yet. */
export const AHEAD_SHARE = 0.25;

export type SpareChoiceFacts = {
  readonly bots: readonly { readonly id: BotId; readonly isDefault: boolean; readonly coldStarts: number }[];
  /** `SPARE_AGENTS` */
  readonly most: number;
  /** What all agents may hold. */
  readonly budgetMb: number;
};

/** Which bots a spare is kept for: those with most cold starts, the default bot first among equals. Pure. */
export function decideSpares(facts: SpareChoiceFacts): readonly BotId[] {
  const affordable = Math.min(facts.most, Math.floor((facts.budgetMb * AHEAD_SHARE) / FIRST_GUESS_MB));
  const byNeed = [...facts.bots].sort(
    (a, b) => b.coldStarts - a.coldStarts || Number(b.isDefault) - Number(a.isDefault),
  );
  return byNeed.slice(0, Math.max(0, affordable)).map(({ id }) => id);
}

/** How many conversations are resumed ahead of need beside the spares. Pure. */
export function decideRewarming(limits: {
  readonly rewarmSessions: number;
  readonly spareAgents: number;
  readonly agentMemoryBudgetMb: number;
}): number {
  const affordable = Math.floor((limits.agentMemoryBudgetMb * AHEAD_SHARE) / FIRST_GUESS_MB);
  return Math.max(0, Math.min(limits.rewarmSessions, affordable - limits.spareAgents));
}
