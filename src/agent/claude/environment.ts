import type { AgentSpec } from '../agent.ts';
import { AGENT_MARK, OWNER_MARK } from '../process-table.ts';

/** What the environment of one agent process is made from. */
export type EnvironmentFacts = {
  /** The allowed part of the server's own: PATH, LANG, TZ, proxy and CA variables. */
  readonly base: Readonly<Record<string, string>>;
  readonly spec: Pick<AgentSpec, 'env' | 'endpoint'>;
  readonly home: string;
  readonly temporary: string;
  readonly ownerId: string;
  readonly agentId: string;
  /** How often the process asks an endpoint again that says nothing about it. */
  readonly apiRetries: number;
};

/**
 * All that the process gets: its environment replaces the server's. What the bot file adds can override neither the
 * endpoint nor what keeps the process at home; what it writes goes to its home and to its temporary folder.
 */
export function toEnvironment(facts: EnvironmentFacts): Record<string, string> {
  return {
    ...facts.base,
    ...facts.spec.env,
    ...facts.spec.endpoint.env,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    CLAUDE_CODE_DISABLE_AUTO_MEMORY: '1',
    CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
    CLAUDE_CODE_DISABLE_FILE_MENTIONS: '1',
    DISABLE_TELEMETRY: '1',
    DISABLE_AUTOUPDATER: '1',
    DISABLE_ERROR_REPORTING: '1',
    CLAUDE_CODE_MAX_RETRIES: String(facts.spec.endpoint.retries ?? facts.apiRetries),
    HOME: facts.home,
    TMPDIR: facts.temporary,
    CLAUDE_CONFIG_DIR: facts.home,
    [OWNER_MARK]: facts.ownerId,
    [AGENT_MARK]: facts.agentId,
  };
}
