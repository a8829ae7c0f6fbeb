import type { AgentProbe, SandboxProbe } from '../agent/agent.ts';
import { type Clock, within } from '../base/clock.ts';
import { unreachable } from '../base/errors.ts';
import type { Bots } from '../bots/bots.ts';
import type { Config } from '../config.ts';
import type { Check } from './doctor-checks.ts';

/** What doctor asks of the app: only the app knows every part. */
export type DoctorChecks = { probeAgent(): Promise<AgentProbe>; probeChat(bots: Bots): Promise<ChatProbe> };

/** Whether the chat can be asked for messages whose webhook did not come; null: there is nothing to ask it with. */
export type ChatProbe = 'readable' | 'unreadable' | 'unreachable' | null;

const PROBE_LIMIT_MS = 120_000;

/** Nothing is wrong with a host that has none, unless a bot lists Bash: then its file has a warning too. */
export function checkSandbox(sandbox: SandboxProbe): Check {
  const name = 'Sandbox for Bash';
  if (sandbox.kind === 'works')
    return { name, state: 'ok', detail: 'works: bots that list Bash have it', advice: null };
  const advice = 'docs/installing.md says what gives bots that list Bash one.';
  return { name, state: 'ok', detail: `no bot is given Bash: ${sandbox.reason}`, advice };
}

/** Two lines of one probe: whether the Claude process starts, and whether the model answers it. */
export async function checkAgent(
  config: Config,
  checks: DoctorChecks | null,
  clock: Clock,
): Promise<readonly Check[]> {
  const [process, model] = ['Claude process', 'Model endpoint'];
  const line = (
    name: string,
    state: Check['state'],
    detail: string,
    advice: string | null = null,
  ): Check => ({
    name,
    state,
    detail,
    advice,
  });
  if (config.model.kind === 'none') {
    return [line(model, 'failed', 'no turn can run', `${config.model.reason}.`)];
  }
  if (checks === null) return [line(process, 'warning', 'not checked')];
  const where = config.model.kind === 'offline' ? 'the offline model' : 'the model';
  const probe = await within(clock, PROBE_LIMIT_MS, checks.probeAgent());
  if (probe === 'timed-out') {
    const detail = `no end in ${PROBE_LIMIT_MS / 1_000} s`;
    return [line(process, 'failed', detail, 'Try again; then look for what slows this machine down.')];
  }
  switch (probe.kind) {
    case 'answered':
      return [line(process, 'ok', 'starts and ends'), line(model, 'ok', `${where} answers`)];
    case 'not-started':
      return [
        line(
          process,
          'failed',
          probe.detail,
          'Install again (bin/start does); it needs about 400 MB of disk.',
        ),
      ];
    case 'no-answer':
      return [
        line(process, 'ok', 'starts and ends'),
        line(model, 'failed', probe.detail, 'Check the credential, ANTHROPIC_BASE_URL and proxies.'),
      ];
    default:
      return unreachable(probe);
  }
}
