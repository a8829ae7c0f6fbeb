/**
 * Every environment variable, once: how it is read, what is allowed, its default (the text one would write for it).
 * A variable without a default is optional; `WHEN_UNSET` says in words what then holds. `docs/configuration.md` is
 * checked against this file by a test.
 */
import { isIP } from 'node:net';
import { z } from 'zod';

/** A week: longer waits would overflow the timers' 31 bits of milliseconds well before they made sense. */
const MOST_SECONDS = 604_800;
/** Ten years; hours are compared, never waited for. */
const MOST_HOURS = 87_600;

const token = field('a text without white space', (read) => (/\s/.test(read) ? null : read));
const path = field('a path', (read) => (read.includes('\0') ? null : read));
const baseUrl = field(
  'an absolute http or https address without user, query or fragment, such as https://chat.example.com',
  parseBaseUrl,
);
const list = field('a comma-separated list', parseList);
const switchOn = oneOf('on', 'off').transform((read) => read === 'on');

export const variables = z.object({
  HOST: field('a host name or an IP address', parseHost).prefault('127.0.0.1'),
  PORT: whole(0, 65_535).prefault('5000'),
  PUBLIC_URL: baseUrl.optional(),
  DATA_DIR: path.prefault('./data'),
  DATABASE_URL: urlOf('postgres', 'postgresql').optional(),
  REDIS_URL: urlOf('redis', 'rediss').optional(),

  CAMPFIRE_URL: baseUrl.optional(),
  CAMPFIRE_DB_PATH: path.optional(),
  CAMPFIRE_FILES_PATH: path.optional(),
  BOTS_DIRS: list.prefault('./bots'),
  BOT_KEY: token.optional(),
  WEBHOOK_TOKEN: token.optional(),
  ADMIN_TOKEN: token.optional(),

  ANTHROPIC_API_KEY: token.optional(),
  ANTHROPIC_AUTH_TOKEN: token.optional(),
  CLAUDE_CODE_OAUTH_TOKEN: token.optional(),
  ANTHROPIC_BASE_URL: baseUrl.optional(),
  OFFLINE_MODEL: oneOf('auto', 'on', 'off').prefault('auto'),
  DEFAULT_MODEL: token.optional(),
  ANTHROPIC_API_KEY_FALLBACK: token.optional(),
  ANTHROPIC_BASE_URL_FALLBACK: baseUrl.optional(),
  FALLBACK_MODEL: token.optional(),

  SESSION_TTL_HOURS: above(0, MOST_HOURS).prefault('24'),
  SESSION_MODE: oneOf('stateful', 'stateless').prefault('stateful'),
  SESSION_RESUME: switchOn.prefault('on'),
  SESSION_SCOPE: oneOf('room', 'user').prefault('room'),
  SESSION_CACHE_DIR: path.optional(),
  MAX_HOT_SESSIONS: whole(1, 10_000).optional(),
  AGENT_MEMORY_BUDGET_MB: whole(1, 10_000_000).optional(),
  MEMORY_HIGH_WATERMARK: above(0, 1).prefault('0.8'),
  SPARE_AGENTS: whole(0, 100).optional(),
  REWARM_SESSIONS: whole(0, 1_000).prefault('4'),

  TURN_TIMEOUT_SECONDS: above(0, MOST_SECONDS).prefault('180'),
  STUCK_AFTER_SECONDS: above(0, MOST_SECONDS).prefault('90'),
  QUEUE_WAIT_SECONDS: above(0, MOST_SECONDS).prefault('300'),
  MESSAGE_MAX_AGE_HOURS: above(0, MOST_HOURS).prefault('24'),
  DRAIN_SECONDS: from(0, MOST_SECONDS).prefault('8'),
  DOUBLE_TEXTING: oneOf('enqueue', 'merge', 'interrupt', 'reject').prefault('enqueue'),
  CATCH_UP_HOURS: from(0, MOST_HOURS).prefault('6'),
  FLOOD_LIMITS: field(
    'off, or four whole numbers from 1 to 1000000 such as 30,60,300,20: messages a minute of one user, in one room, to one bot, and those of one conversation that wait',
    parseFloodLimits,
  ).prefault('30,60,300,20'),
  RETENTION_DAYS: above(0, 36_500).prefault('30'),
  TIME_ZONE: field('a time zone name, such as Europe/Berlin or UTC', parseTimeZone).optional(),
  LOG_LEVEL: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').prefault('info'),

  PROJECT_RESUME: switchOn.prefault('on'),
  PROJECTS_AT_ONCE: whole(1, 100).prefault('2'),
});

export type Variables = z.infer<typeof variables>;
export type VariableName = keyof Variables;

export const VARIABLE_NAMES = Object.keys(variables.shape) as readonly VariableName[];

/** Never shown: what was read is told by its length only. */
export const SECRETS: ReadonlySet<string> = new Set<VariableName>([
  'BOT_KEY',
  'WEBHOOK_TOKEN',
  'ADMIN_TOKEN',
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_AUTH_TOKEN',
  'CLAUDE_CODE_OAUTH_TOKEN',
  'ANTHROPIC_API_KEY_FALLBACK',
  'DATABASE_URL',
  'REDIS_URL',
]);

/** What holds while an optional variable is not set; those that are not named here: none. */
export const WHEN_UNSET: Partial<Record<VariableName, string>> = {
  DATABASE_URL: 'SQLite in `DATA_DIR`',
  ADMIN_TOKEN: 'made at first start, kept in `DATA_DIR/admin-token`',
  DEFAULT_MODEL: "the SDK's",
  MAX_HOT_SESSIONS: 'budget / 300 MB, at least 1',
  AGENT_MEMORY_BUDGET_MB: '60 % of RAM',
  SPARE_AGENTS: '1 (0 under 4 GB)',
  TIME_ZONE: "the system's",
};

/** The text that stands for an unset variable; null when it is optional. */
export function defaultOf(name: VariableName): string | null {
  const { def } = variables.shape[name];
  return def.type === 'prefault' ? String(def.defaultValue) : null;
}

/** A text in, a value out, or null when it is not allowed; `allowed` is the whole message of the problem. */
function field<Value>(allowed: string, parse: (read: string) => Value | null) {
  return z.string().transform((read, context) => {
    const value = parse(read);
    if (value !== null) return value;
    context.addIssue({ code: 'custom', message: allowed });
    return z.NEVER;
  });
}

function oneOf<const Value extends string>(...values: readonly Value[]) {
  return field(values.join(', '), (read) => values.find((value) => value === read.toLowerCase()) ?? null);
}

function whole(least: number, most: number) {
  return field(`a whole number from ${least} to ${most}`, (read) =>
    /^\d+$/.test(read) && Number(read) >= least && Number(read) <= most ? Number(read) : null,
  );
}

function above(least: number, most: number) {
  return field(`a number above ${least}, at most ${most}`, (read) => {
    const value = parseDecimal(read);
    return value !== null && value > least && value <= most ? value : null;
  });
}

function from(least: number, most: number) {
  return field(`a number from ${least} to ${most}`, (read) => {
    const value = parseDecimal(read);
    return value !== null && value >= least && value <= most ? value : null;
  });
}

function urlOf(...protocols: readonly string[]) {
  return field(`an address that starts with ${protocols.map((name) => `${name}://`).join(' or ')}`, (read) =>
    URL.canParse(read) && protocols.some((name) => new URL(read).protocol === `${name}:`) ? read : null,
  );
}

function parseDecimal(read: string): number | null {
  return /^(\d+\.?\d*|\.\d+)$/.test(read) ? Number(read) : null;
}

function parseList(read: string): readonly string[] | null {
  const items = read.split(',').map((item) => item.trim());
  const given = items.filter((item) => item !== '');
  return given.length > 0 ? [...new Set(given)] : null;
}

function parseFloodLimits(read: string): readonly number[] | 'off' | null {
  if (read.toLowerCase() === 'off') return 'off';
  const limits = read.split(',').map((limit) => (/^ *\d{1,7} *$/.test(limit) ? Number(limit) : 0));
  return limits.length === 4 && limits.every((limit) => limit >= 1 && limit <= 1_000_000) ? limits : null;
}

function parseHost(read: string): string | null {
  const host = read.replace(/^\[(.*)\]$/, '$1');
  return isIP(host) !== 0 || /^[a-z\d]([a-z\d.-]*[a-z\d])?$/i.test(host) ? host : null;
}

/** The path stays, a slash at its end does not: `${base}/rooms/1` is always right. */
function parseBaseUrl(read: string): string | null {
  if (!/^https?:\/\//i.test(read) || !URL.canParse(read)) return null;
  const url = new URL(read);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return null;
  return url.href.replace(/\/+$/, '');
}

function parseTimeZone(read: string): string | null {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: read }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}
