/** Joins the parts that `firekeeper doctor` probes; beside `app.ts`, the only file that reaches a backend. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentProbe, FORGETFUL, probeAgent, toProbeSpec } from './agent/agent.ts';
import { makeClaudeAgents } from './agent/claude/claude.ts';
import { startOfflineModel } from './agent/offline/offline-model.ts';
import { endpointOf } from './app.ts';
import { systemClock } from './base/clock.ts';
import { chatName } from './base/terms.ts';
import type { Bots } from './bots/bots.ts';
import { makeCampfire } from './chat/campfire/campfire.ts';
import type { Config } from './config.ts';
import { makeLog } from './telemetry/log.ts';
import { makeMetrics } from './telemetry/metrics.ts';
import type { Telemetry } from './telemetry/telemetry.ts';

/**
 * What doctor asks: an agent of the default bot, started, asked and ended in a folder that is deleted afterwards; and the
 * chat, with the key of a bot that has one.
 */
export function makeDoctorChecks(config: Config): {
  probeAgent(): Promise<AgentProbe>;
  probeChat(bots: Bots): Promise<'readable' | 'unreadable' | 'unreachable' | null>;
} {
  const clock = systemClock;
  return {
    async probeChat(bots) {
      const bot = bots.all().find(({ key }) => key !== null);
      if (config.campfireUrl === null || bot === undefined) return null;
      const chat = makeCampfire({
        baseUrl: config.campfireUrl,
        name: chatName('campfire:doctor'),
        keyOf: async () => bot.key,
        ...(config.campfireDbPath === null ? {} : { databasePath: config.campfireDbPath }),
        clock,
        log: makeLog({ level: 'silent', pretty: false }),
      });
      try {
        const heard = await chat.heard({ botId: bot.id, since: clock.now(), rooms: [] });
        if (heard.kind === 'unreadable') return 'unreadable';
        return heard.isWhole ? 'readable' : 'unreachable';
      } finally {
        await chat.close();
      }
    },

    async probeAgent() {
      const folder = await mkdtemp(join(tmpdir(), 'firekeeper-doctor-'));
      const telemetry: Telemetry = {
        log: makeLog({ level: 'silent', pretty: false }),
        metrics: makeMetrics(),
      };
      const offlineModel = config.model.kind === 'offline' ? await startOfflineModel({ clock }) : null;
      const agents = makeClaudeAgents({
        ...FORGETFUL,
        homes: join(folder, 'agents'),
        ownerId: randomUUID(),
        baseEnv: config.agentEnv,
        startsAtOnce: 1,
        clock,
        ...telemetry,
      });
      try {
        return await probeAgent(
          agents,
          toProbeSpec(endpointOf(config, offlineModel), config.defaultModel),
          join(folder, 'work'),
        );
      } finally {
        await agents.closeAll();
        await offlineModel?.close();
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
