import { probeSandbox } from '../agent/agent.ts';
import { systemClock } from '../base/clock.ts';
import { type Config, type ConfigLine, describeConfig, loadConfig } from '../config.ts';
import type { CliDeps, Command } from './command.ts';
import { checkAgent, checkSandbox } from './doctor-agent.ts';
import { checkBots } from './doctor-bots.ts';
import { checkCampfire, checkCampfireFiles, checkCatchUp } from './doctor-campfire.ts';
import { type Check, checkDataDir, checkNode } from './doctor-checks.ts';
import { checkDatabase } from './doctor-database.ts';
import { readBots } from './read-bots.ts';
import { checkWebhook, type WebhookAddress, webhookAddresses } from './webhook-addresses.ts';

export type Report = {
  readonly ok: boolean;
  readonly configuration: readonly ConfigLine[];
  readonly warnings: readonly string[];
  readonly checks: readonly Check[];
  readonly webhooks: readonly WebhookAddress[];
};

export const doctor: Command = {
  name: 'doctor',
  usage: '[--show-secrets]',
  summary: 'Prints the effective configuration, secrets masked, and checks each part of it.',
  help: ['--show-secrets  webhook addresses with their token, ready to paste'],
  options: { 'show-secrets': { type: 'boolean' } },
  positionals: 0,

  async run({ flags }, deps) {
    const { config, warnings } = loadConfig(deps.cwd);
    const report = await examine(config, warnings, flags.has('show-secrets'), deps);
    deps.out(flags.has('json') ? JSON.stringify(report) : toText(report));
    return report.ok ? 0 : 1;
  },
};

async function examine(
  config: Config,
  warnings: readonly string[],
  showSecrets: boolean,
  deps: CliDeps,
): Promise<Report> {
  const sandbox = await probeSandbox(config.agentEnv.PATH ?? '');
  const bots = await readBots(config, sandbox.kind === 'missing' ? sandbox.reason : null);
  const probes = await deps.doctorChecks(config);
  const checks = [
    checkNode(process.version),
    checkDataDir(config.dataDir),
    ...(await checkDatabase(config, systemClock)),
    ...(await checkAgent(config, probes, systemClock)),
    checkSandbox(sandbox),
    await checkCampfire(config, systemClock),
    ...checkCampfireFiles(config),
    ...checkCatchUp(config, (await probes?.probeChat(bots)) ?? null),
    ...checkBots(bots, config.campfireUrl !== null),
    checkWebhook(config),
  ];
  return {
    ok: checks.every(({ state }) => state !== 'failed'),
    configuration: describeConfig(config),
    warnings,
    checks,
    webhooks: webhookAddresses(config, bots.all(), showSecrets),
  };
}

const MARKS: Readonly<Record<Check['state'], string>> = { ok: '✓', warning: '!', failed: '✗' };

function toText(report: Report): string {
  const width = Math.max(...report.configuration.map(({ variable }) => variable.length));
  const configuration = report.configuration.map(
    ({ variable, value, from }) =>
      `  ${variable.padEnd(width)}  ${value}${from === 'default' ? '' : '  (set)'}`,
  );
  const checks = report.checks.flatMap(({ name, state, detail, advice }) => [
    `  ${MARKS[state]} ${name}: ${detail}`,
    ...(advice === null ? [] : [`      ${advice}`]),
  ]);
  const addresses = report.webhooks.map(({ bot, url }) => `  ${bot}  ${url}`);
  return [
    'Configuration',
    ...configuration,
    '',
    'Checks',
    ...report.warnings.map((warning) => `  ${MARKS.warning} ${warning}`),
    ...checks,
    '',
    'Webhook addresses, one a bot, to paste in Campfire',
    ...addresses,
  ].join('\n');
}
