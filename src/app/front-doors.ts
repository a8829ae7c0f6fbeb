import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiRoutes } from '../api/api.ts';
import { makeCollectFacts, makeStats } from '../api/collect-stats.ts';
import { makeHttp } from '../api/http.ts';
import { makeLogin } from '../api/login.ts';
import type { Clock } from '../base/clock.ts';
import { readOrMakeSecret } from '../base/secret-file.ts';
import type { Bots } from '../bots/bots.ts';
import type { Config } from '../config.ts';
import type { Projects } from '../projects/projects.ts';
import type { Store } from '../store/store.ts';
import { makeHealth } from '../telemetry/health.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { VERSION } from '../version.ts';
import { makeCatchUp, webhookRoutes } from '../webhook/webhook.ts';
import type { buildArrival } from './arrival.ts';
import type { buildEngine } from './engine.ts';
import type { OpenChat } from './open-parts.ts';

const WEB_ROOT = fileURLToPath(new URL('../../web/', import.meta.url));

type HttpParts = Awaited<ReturnType<typeof buildEngine>> &
  ReturnType<typeof buildArrival> &
  OpenChat & {
    readonly telemetry: Telemetry;
    readonly clock: Clock;
    readonly store: Store;
    readonly bots: Bots;
    readonly projects: Projects;
    isDraining(): boolean;
  };

/** The front doors, closed until `listen`. */
export async function buildHttp(config: Config, parts: HttpParts) {
  const { agents, queue, turnEvents, forget, steering, accept } = parts;
  const { telemetry, clock, store, bots, chat, rooms, roomEvents } = parts;
  const adminToken = config.adminToken ?? (await readOrMakeSecret(join(config.dataDir, 'admin-token')));
  const login = makeLogin({ adminToken, publicUrl: config.publicUrl, clock });
  const http = makeHttp({
    host: config.host,
    publicUrl: config.publicUrl,
    version: VERSION,
    login,
    ...telemetry,
  });
  const health = makeHealth({
    version: VERSION,
    clock,
    checks: {
      database: () => store.inbox.counts().then(() => null),
      model: async () => (config.model.kind === 'none' ? config.model.reason : null),
      drain: async () => (parts.isDraining() ? 'stopping' : null),
    },
  });
  const stats = makeStats({
    agents,
    sessionViews: store.views.sessions,
    inbox: store.inbox,
    queue,
    ttlHours: config.sessionTtlMs / 3_600_000,
    dataDir: config.dataDir,
    budgetMb: config.agentMemoryBudgetMb,
  });
  const doors = { bots, accept, wake: queue.wake, clock, ...telemetry };
  const catchUp = makeCatchUp({
    ...doors,
    chat,
    botRooms: store.botRooms,
    known: store.inbox.known,
    firstSeen: async (bot) => {
      const key = `first seen ${chat.name} ${bot}`;
      return Number(await store.meta.getOrCreate(key, () => String(clock.now())));
    },
    catchUpMs: config.catchUpMs,
  });
  http.register(
    webhookRoutes({
      ...doors,
      chat: chat.name,
      botKeys: store.botKeys,
      botRooms: store.botRooms,
      notStored: catchUp.refused,
      webhookToken: config.webhookToken,
      envBotKey: config.botKey,
      roomMessages: rooms,
    }),
  );
  http.register(
    apiRoutes({
      ...doors,
      bots: { ...bots, problems: () => [...bots.problems(), ...catchUp.problems()] },
      login,
      health,
      webRoot: WEB_ROOT,
      stats,
      forget,
      queue,
      compact: steering.compactNow,
      collectFacts: makeCollectFacts({ agents, queue }),
      sessionViews: store.views.sessions,
      inboxViews: store.views.inbox,
      outboxViews: store.views.outbox,
      owed: parts.sender.wake,
      turns: store.turns,
      ledger: store.ledger,
      timeZone: config.timeZone,
      projects: parts.projects,
      chat: chat.name,
      rooms,
      turnEvents,
      roomEvents,
    }),
  );
  return { http, login, catchUp };
}
