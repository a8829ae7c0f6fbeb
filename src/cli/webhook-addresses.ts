import type { Bot } from '../bots/bots.ts';
import { type Config, isLoopback } from '../config.ts';
import type { Check } from './doctor-checks.ts';

export type WebhookAddress = { readonly bot: string; readonly url: string };

/** The address to paste as each bot's webhook in Campfire; the token is a placeholder unless it is asked for. */
export function webhookAddresses(
  config: Config,
  bots: readonly Bot[],
  showSecrets: boolean,
): readonly WebhookAddress[] {
  const base = config.publicUrl ?? `http://${hostOf(config.host)}:${config.port}`;
  const token = showSecrets ? encodeURIComponent(config.webhookToken ?? '') : '<WEBHOOK_TOKEN>';
  const query = config.webhookToken === null ? '' : `?token=${token}`;
  return bots.map((bot) => ({ bot: bot.id, url: `${base}/webhook/${encodeURIComponent(bot.id)}${query}` }));
}

/** Whether Campfire can reach these addresses, as far as the configuration shows. */
export function checkWebhook(config: Config): Check {
  const name = 'Webhook';
  const base = config.publicUrl === null ? config.host : new URL(config.publicUrl).hostname;
  if (isLoopback(base)) {
    return {
      name,
      state: config.campfireUrl === null ? 'ok' : 'warning',
      detail: `${base} is reached from this machine only`,
      advice:
        'A Campfire in a container (the usual installation) cannot reach it: loopback there is the container itself. Set HOST=0.0.0.0, WEBHOOK_TOKEN, and PUBLIC_URL to an address that Campfire reaches.',
    };
  }
  if (config.publicUrl === null && isAnyAddress(config.host)) {
    return {
      name,
      state: 'warning',
      detail: `${config.host} is every address of this machine, and none to paste`,
      advice: 'Set PUBLIC_URL to an address that Campfire reaches.',
    };
  }
  if (config.publicUrl !== null && isLoopback(config.host) && config.webhookToken === null) {
    return {
      name,
      state: 'warning',
      detail: 'without WEBHOOK_TOKEN only webhooks from this machine are taken, through no proxy',
      advice: 'Set WEBHOOK_TOKEN.',
    };
  }
  return { name, state: 'ok', detail: `comes to ${base}`, advice: null };
}

function hostOf(host: string): string {
  if (isAnyAddress(host)) return '<address of this machine>';
  return host.includes(':') ? `[${host}]` : host;
}

function isAnyAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
