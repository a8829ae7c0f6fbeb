import type { ModelEndpoint } from '../../src/agent/agent.ts';
import { ROOT } from '../../test/setup/root.ts';
import { BOT_KEY, type LocalCampfire } from './campfire.ts';

export const BOT_ID = 'assistant';
export const ADMIN_TOKEN = 'bench-admin-token';

/** The environment of a server that is measured: the repository's own bots, a chat and a model on loopback. */
export function toServerEnv(given: {
  readonly dataDir: string;
  readonly model: ModelEndpoint;
  readonly campfire: Pick<LocalCampfire, 'url'>;
  readonly more?: Readonly<Record<string, string>>;
}): Record<string, string> {
  return {
    PORT: '0',
    DATA_DIR: given.dataDir,
    BOTS_DIRS: `${ROOT}bots`,
    BOT_KEY,
    ADMIN_TOKEN,
    CAMPFIRE_URL: given.campfire.url,
    LOG_LEVEL: 'error',
    // What is measured is how fast it is, not how much it lets in.
    FLOOD_LIMITS: 'off',
    // What other programs of the machine hold ends no agent here.
    MEMORY_HIGH_WATERMARK: '1',
    TIME_ZONE: 'UTC',
    ...given.model.env,
    ...given.more,
  };
}
