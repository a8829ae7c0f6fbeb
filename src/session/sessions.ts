import { makeLiveAgents } from './live-agents.ts';
import { loseSession, openSession } from './open-session.ts';
import { planTurn } from './plan-turn.ts';
import type { SessionDeps, Sessions } from './session.ts';

/** Keeps one live process per conversation. What to do is decided in `decideTier`; this only does it. */
export function makeSessions(deps: SessionDeps): Sessions {
  const live = makeLiveAgents(deps.limits.mostLive);
  return {
    plan: (lease, bot) => planTurn(lease, bot, deps, live),
    open: (plan) => openSession(plan, deps, live),
    lose: (plan) => loseSession(plan, deps, live),

    async forget(conversation) {
      const lease = await deps.leases.seize(conversation);
      await live.close(conversation);
      await deps.records.forget(lease);
      await deps.deleteWorkspace(conversation);
      await deps.leases.release(lease);
    },

    sweep: () => live.endExpired(deps.clock.now()),
    live: () => live.all().map(({ record, agent, busy }) => ({ record, agentId: agent.id, busy })),

    async closeAll() {
      live.clear();
      await deps.agents.closeAll();
    },
  };
}
