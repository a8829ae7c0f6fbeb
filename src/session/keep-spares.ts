import type { BotId } from '../base/terms.ts';
import { decideSpares } from './decide-spares.ts';
import type { SessionEngine } from './engine.ts';
import { toAgentSpec } from './spec.ts';

/** How many of a bot's conversations started cold; kept in memory, since it only says where spares are of use. */
export type ColdStarts = { of(bot: BotId): number; started(bot: BotId): void };

export function makeColdStarts(): ColdStarts {
  const counts = new Map<BotId, number>();
  return {
    of: (bot) => counts.get(bot) ?? 0,
    started: (bot) => void counts.set(bot, (counts.get(bot) ?? 0) + 1),
  };
}

/** Tells the agents which spares to keep; to be called again whenever bots or their cold starts have changed. */
export function keepSpares(engine: SessionEngine): void {
  const usual = engine.bots.default()?.id;
  const bots = engine.bots.all().map(({ id }) => {
    return { id, isDefault: id === usual, coldStarts: engine.coldStarts.of(id) };
  });
  const { budgetMb, spares: most } = engine.limits;
  const chosen = decideSpares({ bots, most, budgetMb });
  const endpoint = engine.endpoints.usual();
  const specs = chosen.flatMap((id) => {
    const bot = engine.bots.get(id);
    return bot === null ? [] : [toAgentSpec(bot, endpoint)];
  });
  engine.agents.keepSpares(specs);
}
