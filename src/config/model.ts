/** Which model answers, and the only parts of the server's environment that an agent process is given. */
import type { Variables } from './variables.ts';

type Environment = Readonly<Record<string, string>>;

/**
 * - `offline`: the local model of `agent/offline/`.
 * - `endpoint`: Anthropic's address or another that speaks its protocol; `fallback` is a second one. `env` holds the
 *   variables of that endpoint and of no other, so that one's key never reaches the other's host.
 * - `none`: no turn may run; `reason` is what `/ready` says.
 */
export type ModelChoice =
  | { readonly kind: 'offline' }
  | {
      readonly kind: 'endpoint';
      readonly primary: { readonly name: 'primary'; readonly env: Environment };
      readonly fallback: {
        readonly name: 'fallback';
        readonly env: Environment;
        readonly model: string | null;
      } | null;
    }
  | { readonly kind: 'none'; readonly reason: string };

const CREDENTIALS = ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN'] as const;

/** Variables of a cloud's own client, handed on only while that cloud is switched on. */
const CLOUDS: Readonly<Record<string, RegExp>> = {
  CLAUDE_CODE_USE_BEDROCK: /^(AWS_|ANTHROPIC_BEDROCK_|CLAUDE_CODE_SKIP_BEDROCK_AUTH$)/,
  CLAUDE_CODE_USE_VERTEX:
    /^(GOOGLE_|GCLOUD_|CLOUD_ML_|VERTEX_|ANTHROPIC_VERTEX_|CLAUDE_CODE_SKIP_VERTEX_AUTH$)/,
  CLAUDE_CODE_USE_FOUNDRY: /^(AZURE_|ANTHROPIC_FOUNDRY_|CLAUDE_CODE_SKIP_FOUNDRY_AUTH$)/,
};

/** Proxies, certificates, language, and what finds programs. */
const HANDED_ON =
  /^(PATH|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR|(https?|all|no)_proxy|(HTTPS?|ALL|NO)_PROXY)$/;

export function chooseModel(variables: Variables, env: Environment): ModelChoice {
  if (variables.OFFLINE_MODEL === 'on') return { kind: 'offline' };
  const primary = collectPrimary(variables, env);
  if (primary !== null) {
    return {
      kind: 'endpoint',
      primary: { name: 'primary', env: primary },
      fallback: collectFallback(variables),
    };
  }
  if (variables.OFFLINE_MODEL === 'off') {
    return {
      kind: 'none',
      reason:
        'no model credential: set ANTHROPIC_API_KEY, or OFFLINE_MODEL=auto or on to use the offline model',
    };
  }
  if (variables.CAMPFIRE_URL !== undefined) {
    return {
      kind: 'none',
      reason:
        'CAMPFIRE_URL is set but no model credential: set ANTHROPIC_API_KEY, or OFFLINE_MODEL=on to let the offline model answer real people',
    };
  }
  return { kind: 'offline' };
}

/** Null without any credential and without an address of its own. */
function collectPrimary(variables: Variables, env: Environment): Environment | null {
  const clouds = Object.keys(env).filter((name) => name.startsWith('CLAUDE_CODE_USE_') && isOn(env[name]));
  const credentials = CREDENTIALS.filter((name) => variables[name] !== undefined);
  if (clouds.length === 0 && credentials.length === 0 && variables.ANTHROPIC_BASE_URL === undefined)
    return null;

  const primary: Record<string, string> = {};
  for (const name of [...credentials, 'ANTHROPIC_BASE_URL'] as const) {
    const value = variables[name];
    if (value !== undefined) primary[name] = value;
  }
  for (const [name, value] of Object.entries(env)) {
    const ofCloud = clouds.some((cloud) => cloud === name || CLOUDS[cloud]?.test(name));
    const ofGateway = name === 'ANTHROPIC_CUSTOM_HEADERS' || /^ANTHROPIC_DEFAULT_[A-Z]+_MODEL$/.test(name);
    if (ofCloud || ofGateway) primary[name] = value;
  }
  return primary;
}

/** A second endpoint needs a key of its own: without one, the first one's would have to go to its host. */
function collectFallback(variables: Variables) {
  const key = variables.ANTHROPIC_API_KEY_FALLBACK;
  if (key === undefined) return null;
  const url = variables.ANTHROPIC_BASE_URL_FALLBACK;
  return {
    name: 'fallback' as const,
    env: { ANTHROPIC_API_KEY: key, ...(url === undefined ? {} : { ANTHROPIC_BASE_URL: url }) },
    model: variables.FALLBACK_MODEL ?? null,
  };
}

export function fallbackWarnings(variables: Variables): readonly string[] {
  if (variables.ANTHROPIC_API_KEY_FALLBACK !== undefined) return [];
  const set = (['ANTHROPIC_BASE_URL_FALLBACK', 'FALLBACK_MODEL'] as const).filter(
    (name) => variables[name] !== undefined,
  );
  return set.map((name) => `${name} has no effect without ANTHROPIC_API_KEY_FALLBACK.`);
}

/** The environment of every agent process before its endpoint's and its bot's: an allow-list, nothing of ours. */
export function collectAgentEnv(env: Environment, timeZone: string | undefined): Environment {
  const handed = Object.fromEntries(Object.entries(env).filter(([name]) => HANDED_ON.test(name)));
  if (timeZone !== undefined) handed.TZ = timeZone;
  if (!Object.keys(handed).some((name) => /_proxy$/i.test(name))) return handed;
  // An endpoint on this machine (the offline model) is never asked for through a proxy elsewhere.
  const direct = [handed.NO_PROXY ?? handed.no_proxy, 'localhost', '127.0.0.1', '::1'];
  const noProxy = direct.filter((part) => part !== undefined).join(',');
  return { ...handed, NO_PROXY: noProxy, no_proxy: noProxy };
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && !['0', 'false', 'no', 'off'].includes(value.toLowerCase());
}
