import { compactIfFull, compactSession } from './compact.ts';
import { makeFailures, type SessionEngine } from './engine.ts';
import { keepSpares, makeColdStarts } from './keep-spares.ts';
import { makeLiveAgents } from './live-agents.ts';
import { makeMemory } from './memory.ts';
import { makeModels } from './models.ts';
import { loseSession, openSession } from './open-session.ts';
import { planTurn } from './plan-turn.ts';
import { rewarm } from './rewarm.ts';
import type { SessionDeps, Sessions } from './session.ts';

/** Keeps one live process per conversation. What to do is decided in `decide-….ts`; this only does it. */
export function makeSessions(deps: SessionDeps): Sessions {
  const { clock, telemetry, limits } = deps;
  const memory = makeMemory({ census: deps.agents.census, machineShare: deps.machineShare, limits });
  const live = makeLiveAgents({ memory, clock, telemetry });
  const models = makeModels(deps.models);
  const engine: SessionEngine = {
    ...deps,
    models,
    live,
    failures: makeFailures(),
    coldStarts: makeColdStarts(),
    compactionsFailed: new Map(),
  };
  return {
    plan: (lease, bot) => planTurn(lease, bot, engine),
    open: (plan) => openSession(plan, engine),
    lose: (plan) => loseSession(plan, engine),
    rewarm: (lease, bot) => rewarm(lease, bot, engine),
    compact: (lease) => compactSession(lease, engine),
    compactIfFull: (lease, contextTokens, aboveTokens) =>
      compactIfFull(lease, contextTokens, aboveTokens, engine),

    async forget(conversation) {
      const lease = await deps.leases.seize(conversation);
      try {
        // At once: a process may take long to go, and what is said meanwhile is not to be forgotten with the rest.
        const unanswered = await deps.records.forget(lease);
        await models.set(conversation, null);
        await live.close(conversation);
        await deps.deleteWorkspace(conversation);
        return unanswered;
      } finally {
        await deps.leases.release(lease);
      }
    },

    model: models,
    async sweep() {
      await live.sweep();
      keepSpares(engine);
    },
    live: () => live.all().map(({ record, agent, busy }) => ({ record, agentId: agent.id, busy })),

    async closeAll() {
      live.clear();
      await deps.agents.closeAll();
    },
  };
}
