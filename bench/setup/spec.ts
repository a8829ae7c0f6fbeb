import type { AgentSpec, ModelEndpoint } from '../../src/agent/agent.ts';
import { systemClock } from '../../src/base/clock.ts';
import { botId } from '../../src/base/terms.ts';
import { makeBots } from '../../src/bots/bots.ts';
import { readConfig } from '../../src/config.ts';
import { toAgentSpec } from '../../src/session/spec.ts';
import { makeLog } from '../../src/telemetry/log.ts';
import { BOT_ID, toServerEnv } from './settings.ts';

/** What the measured server starts its agents with, for the bare SDK to be given the same. */
export async function readSpec(model: ModelEndpoint): Promise<AgentSpec> {
  const { config } = readConfig(
    toServerEnv({ dataDir: '.', model, campfire: { url: 'http://127.0.0.1:1' } }),
    '.',
  );
  const { language, defaultModel, sessionScope, sessionTtlMs, doubleTexting, turnTimeoutMs } = config;
  const defaults = {
    language,
    model: defaultModel,
    sessionScope,
    sessionTtlMs,
    doubleTexting,
    turnTimeoutMs,
  };
  const bots = await makeBots({
    dirs: config.botsDirs,
    defaults: { ...defaults, keys: {}, defaultKey: null, noShell: null },
    clock: systemClock,
    log: makeLog({ level: 'error', pretty: false }),
  });
  const bot = bots.get(botId(BOT_ID));
  bots.close();
  if (bot === null) throw new Error(`there is no bot ${BOT_ID}`);
  return toAgentSpec(bot, { endpoint: model, model: null });
}

/** As our prompts are built, so that the bare SDK's model reads the same. */
export function toPlainPrompt(room: string, text: string): string {
  return `<message from="David" user_id="1" room="Room ${room}" room_id="${room}" sent="Friday, 1 May 2026 at 12:00 (UTC)">\n${text}\n</message>`;
}
