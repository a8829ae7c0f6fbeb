import { systemClock } from '../base/clock.ts';
import { type Bots, makeBots } from '../bots/bots.ts';
import type { Config } from '../config.ts';
import { makeLog } from '../telemetry/log.ts';

/** The bots as their files are now: what changes afterwards is the next command's. `noShell`: why none is given Bash. */
export async function readBots(config: Config, noShell: string | null = null): Promise<Bots> {
  const { language, defaultModel: model, sessionScope, sessionTtlMs, doubleTexting, turnTimeoutMs } = config;
  const rules = { sessionScope, sessionTtlMs, doubleTexting, turnTimeoutMs };
  const bots = await makeBots({
    dirs: config.botsDirs,
    defaults: { language, model, ...rules, keys: config.botKeys, defaultKey: config.botKey, noShell },
    clock: systemClock,
    log: makeLog({ level: 'silent', pretty: false }),
  });
  bots.close();
  return bots;
}
